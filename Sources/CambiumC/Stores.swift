// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation
// What each function does is said in cambium.h, which users read.

public import CCambium
internal import Cambium

func store(_ handle: OpaquePointer?) throws -> Store {
    unsafe try Handles.find(handle, as: Store.self, "store")
}

@c @implementation
public func cambium_create(
    _ path: UnsafePointer<CChar>!, _ branch: UnsafePointer<CChar>!
) -> cambium_code {
    call {
        unsafe try Store.create(
            at: text(path, "path"), branch: optionalText(branch, "branch") ?? "main")
    }
}

@c @implementation
public func cambium_open(
    _ path: UnsafePointer<CChar>!, _ flags: UInt32, _ store: UnsafeMutablePointer<OpaquePointer?>!
) -> cambium_code {
    call {
        let result = unsafe try place(store, "store")
        let opened = try unsafe Store(
            text(path, "path"), readOnly: flags.has(CAMBIUM_OPEN_READ_ONLY))
        unsafe result.pointee = Handles.make(opened)
    }
}

@c @implementation
public func cambium_migrate(
    _ path: UnsafePointer<CChar>!, _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>!
) -> cambium_code {
    call { unsafe try give(json: Store.migrate(text(path, "path")), json) }
}

@c @implementation
public func cambium_resolve(
    _ handle: OpaquePointer!, _ revision: UnsafePointer<CChar>!, _ id: UnsafeMutablePointer<CChar>!
) -> cambium_code {
    call { unsafe give(id: try store(handle).resolve(text(revision, "revision")), id) }
}
