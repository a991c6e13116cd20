// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation
// What each function does is said in cambium.h, which users read.

public import CCambium
internal import Cambium

private func changes(_ handle: OpaquePointer?) throws -> Changes {
    unsafe try Handles.find(handle, as: Changes.self, "changes")
}

@c @implementation
public func cambium_changes_open(
    _ handle: OpaquePointer!, _ from: UnsafePointer<CChar>!, _ to: UnsafePointer<CChar>!,
    _ changes: UnsafeMutablePointer<OpaquePointer?>!
) -> cambium_code {
    call {
        let result = unsafe try place(changes, "changes")
        let found = try unsafe store(handle).changes(from: text(from, "from"), to: text(to, "to"))
        unsafe result.pointee = Handles.make(found)
    }
}

/// What differs, without the numbers.
private struct ChangesSummary: Encodable {
    let from: String
    let to: String
    let added: [String]
    let removed: [String]
    let reshaped: [String]
    let addedExperts: [String]
    let removedExperts: [String]
    let besides: [String]

    init(_ changes: Changes) {
        from = changes.from
        to = changes.to
        added = changes.added
        removed = changes.removed
        reshaped = changes.reshaped
        addedExperts = changes.addedExperts
        removedExperts = changes.removedExperts
        besides = changes.besides
    }
}

@c @implementation
public func cambium_changes_summary(
    _ handle: OpaquePointer!, _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>!
) -> cambium_code {
    call { unsafe try give(json: ChangesSummary(changes(handle)), json) }
}

@c @implementation
public func cambium_changes_each(
    _ handle: OpaquePointer!, _ names: UnsafePointer<UnsafePointer<CChar>?>!, _ name_count: UInt64,
    _ receiver: cambium_change_receiver!, _ context: UnsafeMutableRawPointer!
) -> cambium_code {
    call {
        let changes = unsafe try changes(handle)
        guard let receiver = unsafe receiver else {
            throw Failure(CAMBIUM_USAGE, "the receiver is NULL")
        }
        let wanted = Set(unsafe try texts(names, name_count, "names"))
        try changes.forEach(where: { wanted.isEmpty || wanted.contains($0) }) { change in
            let answer = unsafe change.withCChange { unsafe receiver(context, $0) }
            guard answer == 0 else { throw cancelled }
        }
    }
}

extension TensorChange {
    /// Lends the change as C has it.
    fileprivate func withCChange(
        _ body: (UnsafePointer<cambium_change>) -> Int32
    ) -> Int32 {
        let shape = shape.map { Int64($0) }
        let indices = indices.map { Int64($0) }
        let values = values
        return unsafe name.withCString { name in
            unsafe dtype.withCString { dtype in
                unsafe shape.withUnsafeBufferPointer { shape in
                    unsafe indices.withUnsafeBufferPointer { indices in
                        unsafe values.withUnsafeBytes { values in
                            var change = unsafe cambium_change(
                                name: name, dtype: dtype, shape: shape.baseAddress,
                                rank: UInt64(shape.count), kind: Int32(kind.number),
                                indices: indices.baseAddress, index_count: UInt64(indices.count),
                                values: values.baseAddress, value_bytes: UInt64(values.count))
                            return unsafe body(&change)
                        }
                    }
                }
            }
        }
    }
}

extension TensorChange.Kind {
    fileprivate var number: Int {
        switch self {
        case .elements: CAMBIUM_CHANGE_ELEMENTS
        case .whole: CAMBIUM_CHANGE_WHOLE
        case .removed: CAMBIUM_CHANGE_REMOVED
        }
    }
}

@c @implementation
public func cambium_changes_write(
    _ handle: OpaquePointer!, _ path: UnsafePointer<CChar>!, _ flags: UInt32,
    _ progress: cambium_progress!, _ context: UnsafeMutableRawPointer!,
    _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>!
) -> cambium_code {
    call {
        let result = try unsafe changes(handle).write(
            to: text(path, "path"), overwrite: flags.has(CAMBIUM_OVERWRITE),
            progress: reporter(progress, context))
        unsafe try give(json: result, json)
    }
}
