// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation
// What each function does is said in cambium.h, which users read.

public import CCambium
internal import Cambium

private func snapshot(_ handle: OpaquePointer?) throws -> Snapshot {
    unsafe try Handles.find(handle, as: Snapshot.self, "snapshot")
}

@c @implementation
public func cambium_snapshot_open(
    _ handle: OpaquePointer!, _ revision: UnsafePointer<CChar>!,
    _ snapshot: UnsafeMutablePointer<OpaquePointer?>!
) -> cambium_code {
    call {
        let result = unsafe try place(snapshot, "snapshot")
        let opened = try unsafe store(handle).snapshot(text(revision, "revision"))
        unsafe result.pointee = Handles.make(opened)
    }
}

@c @implementation
public func cambium_snapshot_id(
    _ handle: OpaquePointer!, _ id: UnsafeMutablePointer<CChar>!
) -> cambium_code {
    call { unsafe give(id: try snapshot(handle).id, id) }
}

@c @implementation
public func cambium_snapshot_tree(
    _ handle: OpaquePointer!, _ id: UnsafeMutablePointer<CChar>!
) -> cambium_code {
    call { unsafe give(id: try snapshot(handle).tree, id) }
}

@c @implementation
public func cambium_snapshot_commit(
    _ handle: OpaquePointer!, _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>!
) -> cambium_code {
    call { unsafe try give(json: snapshot(handle).commit(), json) }
}

@c @implementation
public func cambium_snapshot_summary(
    _ handle: OpaquePointer!, _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>!
) -> cambium_code {
    call { unsafe try give(json: snapshot(handle).summary(), json) }
}

@c @implementation
public func cambium_snapshot_tensors(
    _ handle: OpaquePointer!, _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>!
) -> cambium_code {
    call { unsafe try give(json: snapshot(handle).tensors, json) }
}

@c @implementation
public func cambium_snapshot_files(
    _ handle: OpaquePointer!, _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>!
) -> cambium_code {
    call { unsafe try give(json: snapshot(handle).files, json) }
}

@c @implementation
public func cambium_snapshot_pools(
    _ handle: OpaquePointer!, _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>!
) -> cambium_code {
    call { unsafe try give(json: snapshot(handle).pools, json) }
}

/// Rows that C counts.
private func rows(_ first: Int64, _ count: Int64) throws -> Range<Int> {
    guard first >= 0, count >= 0, case let (end, overflow) = first.addingReportingOverflow(count),
        !overflow
    else { throw Failure(CAMBIUM_USAGE, "\(count) rows from \(first) on cannot be") }
    return Int(first)..<Int(end)
}

private func give(
    _ handle: OpaquePointer?, _ name: UnsafePointer<CChar>?, _ rows: Range<Int>?, _ flags: UInt32,
    _ view: UnsafeMutablePointer<cambium_view>?
) throws {
    let result = unsafe try place(view, "view")
    let found = try unsafe snapshot(handle).view(
        of: text(name, "name"), rows: rows, checks: flags.has(CAMBIUM_READ_CHECKED))
    unsafe result.pointee = try cambium_view(found)
}

@c @implementation
public func cambium_snapshot_tensor(
    _ handle: OpaquePointer!, _ name: UnsafePointer<CChar>!, _ flags: UInt32,
    _ view: UnsafeMutablePointer<cambium_view>!
) -> cambium_code {
    call { unsafe try give(handle, name, nil, flags, view) }
}

@c @implementation
public func cambium_snapshot_rows(
    _ handle: OpaquePointer!, _ name: UnsafePointer<CChar>!, _ first: Int64, _ count: Int64,
    _ flags: UInt32, _ view: UnsafeMutablePointer<cambium_view>!
) -> cambium_code {
    call { unsafe try give(handle, name, rows(first, count), flags, view) }
}

@c @implementation
public func cambium_snapshot_read(
    _ handle: OpaquePointer!, _ name: UnsafePointer<CChar>!, _ first: Int64, _ count: Int64,
    _ memory: UnsafeMutableRawPointer!, _ size: UInt64
) -> cambium_code {
    call {
        let buffer = unsafe UnsafeMutableRawBufferPointer(
            mutating: try bytes(memory, size, "memory"))
        var span = unsafe MutableRawSpan(_unsafeBytes: buffer)
        try unsafe snapshot(handle).read(
            text(name, "name"), rows: count < 0 ? nil : rows(first, count), into: &span)
    }
}

@c @implementation
public func cambium_snapshot_file(
    _ handle: OpaquePointer!, _ name: UnsafePointer<CChar>!,
    _ view: UnsafeMutablePointer<cambium_view>!
) -> cambium_code {
    call {
        let result = unsafe try place(view, "view")
        let content = try unsafe snapshot(handle).file(text(name, "name"))
        unsafe result.pointee = try cambium_view(
            MappedBytes(copying: content), dtype: "U8", shape: [content.count], isMapped: false)
    }
}

@c @implementation
public func cambium_snapshot_expert_ids(
    _ handle: OpaquePointer!, _ layer: Int64, _ pool: UnsafePointer<CChar>!, _ first: Int64,
    _ count: Int64, _ ids: UnsafeMutablePointer<UInt8>!
) -> cambium_code {
    call {
        let found = try unsafe snapshot(handle).expertIDs(
            rows(first, count), layer: Int(layer), pool: optionalText(pool, "pool") ?? "base")
        guard count > 0 else { return }
        let result = unsafe try place(ids, "ids")
        for (position, byte) in found.enumerated() { unsafe result[position] = byte }
    }
}

@c @implementation
public func cambium_snapshot_expert(
    _ handle: OpaquePointer!, _ layer: Int64, _ pool: UnsafePointer<CChar>!, _ ordinal: Int64,
    _ flags: UInt32, _ id: UnsafeMutablePointer<CChar>!, _ view: UnsafeMutablePointer<cambium_view>!
) -> cambium_code {
    call {
        let result = unsafe try place(view, "view")
        let (name, found) = try unsafe snapshot(handle).view(
            ofExpert: Int(ordinal), layer: Int(layer), pool: optionalText(pool, "pool") ?? "base",
            checks: flags.has(CAMBIUM_READ_CHECKED))
        unsafe result.pointee = try cambium_view(found)
        unsafe give(id: name, id)
    }
}

@c @implementation
public func cambium_snapshot_shared_by(
    _ handle: OpaquePointer!, _ layer: Int64, _ pool: UnsafePointer<CChar>!, _ ordinal: Int64,
    _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>!
) -> cambium_code {
    call {
        unsafe try give(
            json: snapshot(handle).sharers(
                ofExpert: Int(ordinal), layer: Int(layer),
                pool: optionalText(pool, "pool") ?? "base"), json)
    }
}
