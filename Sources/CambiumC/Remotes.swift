// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation
// What each function does is said in cambium.h, which users read.

public import CCambium
internal import Cambium

@c @implementation
public func cambium_remote_add(
    _ handle: OpaquePointer!, _ name: UnsafePointer<CChar>!, _ url: UnsafePointer<CChar>!,
    _ access: UnsafePointer<cambium_access>!,
    _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>!
) -> cambium_code {
    call {
        unsafe try give(
            json: store(handle).addRemote(
                text(name, "name"), url: text(url, "url"), RemoteAccess(access)), json)
    }
}

@c @implementation
public func cambium_remote_remove(
    _ handle: OpaquePointer!, _ name: UnsafePointer<CChar>!
) -> cambium_code {
    call { try unsafe store(handle).removeRemote(text(name, "name")) }
}

@c @implementation
public func cambium_remotes(
    _ handle: OpaquePointer!, _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>!
) -> cambium_code {
    call { unsafe try give(json: store(handle).remotes(), json) }
}

@c @implementation
public func cambium_clone(
    _ url: UnsafePointer<CChar>!, _ path: UnsafePointer<CChar>!,
    _ access: UnsafePointer<cambium_access>!, _ transfer: UnsafePointer<cambium_transfer>!,
    _ progress: cambium_progress!, _ context: UnsafeMutableRawPointer!,
    _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>!
) -> cambium_code {
    call {
        let wanted = unsafe transfer?.pointee ?? cambium_transfer()
        let result = try unsafe Store.clone(
            text(url, "url"), to: text(path, "path"), branch: wanted.branch(),
            depth: wanted.depth == 0 ? nil : Int(wanted.depth),
            lazy: wanted.flags.has(CAMBIUM_LAZY), RemoteAccess(access),
            transfer: wanted.options(), progress: reporter(progress, context))
        unsafe try give(json: result, json)
    }
}

@c @implementation
public func cambium_push(
    _ handle: OpaquePointer!, _ remote: UnsafePointer<CChar>!,
    _ transfer: UnsafePointer<cambium_transfer>!, _ progress: cambium_progress!,
    _ context: UnsafeMutableRawPointer!,
    _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>!
) -> cambium_code {
    call {
        let store = unsafe try store(handle)
        let wanted = unsafe transfer?.pointee ?? cambium_transfer()
        let flags = unsafe wanted.flags
        let result = try unsafe store.push(
            to: optionalText(remote, "remote"), branches: wanted.names(),
            tags: flags.has(CAMBIUM_TAGS), delete: flags.has(CAMBIUM_DELETE),
            force: flags.has(CAMBIUM_FORCE), dryRun: flags.has(CAMBIUM_DRY_RUN),
            transfer: wanted.options(), progress: reporter(progress, context))
        unsafe try give(json: result, json)
    }
}

@c @implementation
public func cambium_fetch(
    _ handle: OpaquePointer!, _ remote: UnsafePointer<CChar>!,
    _ transfer: UnsafePointer<cambium_transfer>!, _ progress: cambium_progress!,
    _ context: UnsafeMutableRawPointer!,
    _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>!
) -> cambium_code {
    call {
        let store = unsafe try store(handle)
        let wanted = unsafe transfer?.pointee ?? cambium_transfer()
        let depth = unsafe wanted.depth == 0 ? nil : max(0, Int(wanted.depth))
        let result = try unsafe store.fetch(
            from: optionalText(remote, "remote"), branches: wanted.names(), depth: depth,
            transfer: wanted.options(), progress: reporter(progress, context))
        unsafe try give(json: result, json)
    }
}

@c @implementation
public func cambium_pull(
    _ handle: OpaquePointer!, _ remote: UnsafePointer<CChar>!,
    _ transfer: UnsafePointer<cambium_transfer>!, _ progress: cambium_progress!,
    _ context: UnsafeMutableRawPointer!,
    _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>!
) -> cambium_code {
    call {
        let store = unsafe try store(handle)
        let wanted = unsafe transfer?.pointee ?? cambium_transfer()
        let result = try unsafe store.pull(
            from: optionalText(remote, "remote"), branch: wanted.branch(),
            policy: mergePolicy(wanted.policy, "transfer.policy"), transfer: wanted.options(),
            progress: reporter(progress, context))
        unsafe try give(json: result, json)
    }
}

extension RemoteAccess {
    init(_ pointer: UnsafePointer<cambium_access>?) throws {
        self.init()
        guard let access = unsafe pointer?.pointee else { return }
        endpoint = unsafe try optionalText(access.endpoint, "access.endpoint")
        region = unsafe try optionalText(access.region, "access.region")
        profile = unsafe try optionalText(access.profile, "access.profile")
        caFile = unsafe try optionalText(access.ca_file, "access.ca_file")
        let flags = unsafe access.flags
        isVirtualHost = flags.has(CAMBIUM_VIRTUAL_HOST)
        isAnonymous = flags.has(CAMBIUM_ANONYMOUS)
        isSingleWriter = flags.has(CAMBIUM_SINGLE_WRITER)
    }
}

extension cambium_transfer {
    fileprivate func names() throws -> [String] {
        unsafe try texts(branches, branch_count, "transfer.branches")
    }

    /// The one branch that is meant; nil for none.
    fileprivate func branch() throws -> String? {
        let names = unsafe try names()
        guard names.count <= 1 else {
            throw Failure(CAMBIUM_USAGE, "\(names.count) branches; one at most can be meant here")
        }
        return names.first
    }

    fileprivate func options() throws -> TransferOptions {
        var options = TransferOptions()
        if unsafe jobs != 0 { options.jobs = unsafe Int(jobs) }
        guard let bytes = unsafe Int(exactly: rate) else {
            throw Failure(CAMBIUM_USAGE, "transfer.rate is too large")
        }
        options.rate = bytes == 0 ? nil : bytes
        return options
    }
}
