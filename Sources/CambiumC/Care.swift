// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation
// What each function does is said in cambium.h, which users read.

public import CCambium
internal import Cambium

@c @implementation
public func cambium_collect(
    _ handle: OpaquePointer!, _ prune: Int32, _ grace: Int64,
    _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>!
) -> cambium_code {
    call {
        let store = unsafe try store(handle)
        let result =
            try grace < 0
            ? store.collect(prune: prune != 0) : store.collect(prune: prune != 0, grace: grace)
        unsafe try give(json: result, json)
    }
}

@c @implementation
public func cambium_verify(
    _ handle: OpaquePointer!, _ fast: Int32, _ progress: cambium_progress!,
    _ context: UnsafeMutableRawPointer!,
    _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>!
) -> cambium_code {
    call {
        let result = try unsafe store(handle).verify(
            fast: fast != 0, progress: reporter(progress, context))
        unsafe try give(json: result, json)
    }
}

@c @implementation
public func cambium_overview(
    _ handle: OpaquePointer!, _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>!
) -> cambium_code {
    call { unsafe try give(json: store(handle).overview(), json) }
}

@c @implementation
public func cambium_statistics(
    _ handle: OpaquePointer!, _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>!
) -> cambium_code {
    call { unsafe try give(json: store(handle).statistics(), json) }
}

@c @implementation
public func cambium_repack(
    _ path: UnsafePointer<CChar>!, _ compress: Int32, _ progress: cambium_progress!,
    _ context: UnsafeMutableRawPointer!,
    _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>!
) -> cambium_code {
    call {
        let result = try unsafe Store.repack(
            text(path, "path"), compress: compress != 0, progress: reporter(progress, context))
        unsafe try give(json: result, json)
    }
}

@c @implementation
public func cambium_export(
    _ handle: OpaquePointer!, _ revision: UnsafePointer<CChar>!,
    _ directory: UnsafePointer<CChar>!, _ flags: UInt32, _ progress: cambium_progress!,
    _ context: UnsafeMutableRawPointer!,
    _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>!
) -> cambium_code {
    call {
        let result = try unsafe store(handle).export(
            text(revision, "revision"), to: text(directory, "directory"),
            overwrite: flags.has(CAMBIUM_OVERWRITE), isPlain: flags.has(CAMBIUM_PLAIN),
            progress: reporter(progress, context))
        unsafe try give(json: result, json)
    }
}
