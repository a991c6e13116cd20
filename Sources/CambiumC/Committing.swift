// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation
// What each function does is said in cambium.h, which users read.

public import CCambium
internal import Cambium

@c @implementation
public func cambium_commit_folder(
    _ handle: OpaquePointer!, _ path: UnsafePointer<CChar>!,
    _ options: UnsafePointer<cambium_commit_options>!, _ progress: cambium_progress!,
    _ context: UnsafeMutableRawPointer!,
    _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>!
) -> cambium_code {
    call {
        let done = try unsafe store(handle).commit(
            checkpoint: text(path, "path"), CommitOptions(options),
            progress: reporter(progress, context))
        unsafe try give(json: done, json)
    }
}

@c @implementation
public func cambium_commit_tensors(
    _ handle: OpaquePointer!, _ tensors: UnsafePointer<cambium_tensor>!, _ tensor_count: UInt64,
    _ files: UnsafePointer<cambium_file>!, _ file_count: UInt64,
    _ header: UnsafePointer<cambium_pair>!, _ header_count: UInt64,
    _ options: UnsafePointer<cambium_commit_options>!, _ progress: cambium_progress!,
    _ context: UnsafeMutableRawPointer!,
    _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>!
) -> cambium_code {
    call {
        let store = unsafe try store(handle)
        let metadata = unsafe header == nil ? nil : try pairs(header, header_count, "header")
        let done = try unsafe store.commit(
            tensors: given(tensors, tensor_count), headerMetadata: metadata,
            files: given(files, file_count), CommitOptions(options),
            progress: reporter(progress, context))
        unsafe try give(json: done, json)
    }
}

@c @implementation
public func cambium_patch_file(
    _ handle: OpaquePointer!, _ path: UnsafePointer<CChar>!,
    _ options: UnsafePointer<cambium_commit_options>!, _ progress: cambium_progress!,
    _ context: UnsafeMutableRawPointer!,
    _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>!
) -> cambium_code {
    call {
        let done = try unsafe store(handle).commit(
            patchFile: text(path, "path"), CommitOptions(options),
            progress: reporter(progress, context))
        unsafe try give(json: done, json)
    }
}

@c @implementation
public func cambium_patch_tensors(
    _ handle: OpaquePointer!, _ tensors: UnsafePointer<cambium_tensor>!, _ tensor_count: UInt64,
    _ experts: UnsafePointer<cambium_expert_edit>!, _ expert_count: UInt64,
    _ options: UnsafePointer<cambium_commit_options>!, _ progress: cambium_progress!,
    _ context: UnsafeMutableRawPointer!,
    _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>!
) -> cambium_code {
    call {
        let store = unsafe try store(handle)
        let edits = unsafe try elements(experts, expert_count, "experts")
        let done = try unsafe store.commit(
            patch: given(tensors, tensor_count), CommitOptions(options),
            progress: reporter(progress, context)
        ) { patch in
            for position in edits.indices {
                unsafe try put(edits[position], into: &patch)
            }
        }
        unsafe try give(json: done, json)
    }
}

@c @implementation
public func cambium_commit_adapter(
    _ handle: OpaquePointer!, _ folder: UnsafePointer<CChar>!, _ base: UnsafePointer<CChar>!,
    _ flags: UInt32, _ options: UnsafePointer<cambium_commit_options>!,
    _ progress: cambium_progress!, _ context: UnsafeMutableRawPointer!,
    _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>!
) -> cambium_code {
    call {
        let done = try unsafe store(handle).commit(
            adapter: text(folder, "folder"), of: text(base, "base"),
            baked: flags.has(CAMBIUM_BAKE), CommitOptions(options),
            progress: reporter(progress, context))
        unsafe try give(json: done, json)
    }
}

private func put(_ edit: cambium_expert_edit, into patch: inout Patch) throws {
    let pool = unsafe try optionalText(edit.pool, "the pool of an expert") ?? "base"
    let (ordinal, layer) = unsafe (Int(edit.ordinal), Int(edit.layer))
    guard unsafe edit.data != nil else {
        return try patch.remove(expert: ordinal, layer: layer, pool: pool)
    }
    let bytes = unsafe try lent(edit.data, edit.count, "the data of expert \(layer)/\(ordinal)")
    try patch.put(expert: ordinal, layer: layer, pool: pool, bytes.bytes)
}

/// Tensors in the caller's memory.
private func given(
    _ start: UnsafePointer<cambium_tensor>?, _ count: UInt64
) throws -> [TensorData] {
    var tensors: [TensorData] = []
    let given = unsafe try elements(start, count, "tensors")
    tensors.reserveCapacity(given.count)
    for position in given.indices {
        let tensor = unsafe given[position]
        let name = unsafe try text(tensor.name, "the name of tensor \(tensors.count)")
        let shape = unsafe try elements(tensor.shape, tensor.rank, "the shape of '\(name)'")
        tensors.append(
            unsafe TensorData(
                name, dtype: try text(tensor.dtype, "the dtype of '\(name)'"),
                shape: shape.map { Int($0) },
                try lent(tensor.data, tensor.count, "the data of '\(name)'")))
    }
    return tensors
}

/// Files in the caller's memory.
private func given(
    _ start: UnsafePointer<cambium_file>?, _ count: UInt64
) throws -> [String: [UInt8]] {
    var files: [String: [UInt8]] = [:]
    let all = unsafe try elements(start, count, "files")
    for position in all.indices {
        let file = unsafe all[position]
        let name = unsafe try text(file.name, "the name of a file")
        let content = unsafe Array(try bytes(file.data, file.count, "the content of '\(name)'"))
        guard files.updateValue(content, forKey: name) == nil else {
            throw Failure(CAMBIUM_DUPLICATE_NAME, "the file '\(name)' is there twice")
        }
    }
    return files
}
