// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation
// What each function does is said in cambium.h, which users read.

public import CCambium
internal import Cambium

@c @implementation
public func cambium_branches(
    _ handle: OpaquePointer!, _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>!
) -> cambium_code {
    call { unsafe try give(json: store(handle).branches(), json) }
}

@c @implementation
public func cambium_tags(
    _ handle: OpaquePointer!, _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>!
) -> cambium_code {
    call { unsafe try give(json: store(handle).tags(), json) }
}

@c @implementation
public func cambium_current_branch(
    _ handle: OpaquePointer!, _ name: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>!
) -> cambium_code {
    call {
        guard let branch = try unsafe store(handle).currentBranch() else {
            unsafe name?.pointee = nil
            return
        }
        unsafe try give(branch, name)
    }
}

@c @implementation
public func cambium_create_branch(
    _ handle: OpaquePointer!, _ name: UnsafePointer<CChar>!, _ revision: UnsafePointer<CChar>!
) -> cambium_code {
    call {
        try unsafe store(handle).createBranch(
            text(name, "name"), at: optionalText(revision, "revision") ?? "HEAD")
    }
}

@c @implementation
public func cambium_delete_branch(
    _ handle: OpaquePointer!, _ name: UnsafePointer<CChar>!
) -> cambium_code {
    call { try unsafe store(handle).deleteBranch(text(name, "name")) }
}

@c @implementation
public func cambium_rename_branch(
    _ handle: OpaquePointer!, _ name: UnsafePointer<CChar>!, _ new_name: UnsafePointer<CChar>!
) -> cambium_code {
    call {
        try unsafe store(handle).renameBranch(
            optionalText(name, "name"), to: text(new_name, "new_name"))
    }
}

@c @implementation
public func cambium_create_tag(
    _ handle: OpaquePointer!, _ name: UnsafePointer<CChar>!, _ revision: UnsafePointer<CChar>!
) -> cambium_code {
    call {
        try unsafe store(handle).createTag(
            text(name, "name"), at: optionalText(revision, "revision") ?? "HEAD")
    }
}

@c @implementation
public func cambium_delete_tag(
    _ handle: OpaquePointer!, _ name: UnsafePointer<CChar>!
) -> cambium_code {
    call { try unsafe store(handle).deleteTag(text(name, "name")) }
}

@c @implementation
public func cambium_switch(
    _ handle: OpaquePointer!, _ revision: UnsafePointer<CChar>!
) -> cambium_code {
    call { try unsafe store(handle).switchHead(to: text(revision, "revision")) }
}

/// Where a branch was, and where it is.
private struct Move: Encodable {
    let old: String
    let new: String
}

@c @implementation
public func cambium_reset(
    _ handle: OpaquePointer!, _ revision: UnsafePointer<CChar>!, _ branch: UnsafePointer<CChar>!,
    _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>!
) -> cambium_code {
    call {
        let (old, new) = try unsafe store(handle).reset(
            to: text(revision, "revision"), branch: optionalText(branch, "branch"))
        unsafe try give(json: Move(old: old, new: new), json)
    }
}

@c @implementation
public func cambium_history(
    _ handle: OpaquePointer!, _ query: UnsafePointer<cambium_log_query>!,
    _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>!
) -> cambium_code {
    call {
        let store = unsafe try store(handle)
        unsafe try give(json: store.log(query?.pointee.query() ?? LogQuery()), json)
    }
}

extension cambium_log_query {
    fileprivate func query() throws -> LogQuery {
        var query = LogQuery(unsafe try texts(revisions, revision_count, "revisions"))
        unsafe query.all = all != 0
        guard unsafe limit >= 0 else { throw Failure(CAMBIUM_USAGE, "limit is negative") }
        unsafe query.limit = limit == 0 ? nil : Int(limit)
        unsafe query.since = since == 0 ? nil : since
        unsafe query.until = until == 0 ? nil : until
        query.author = unsafe try optionalText(author, "author")
        query.message = unsafe try optionalText(message, "message")
        query.path = unsafe try optionalText(path, "path")
        query.order = unsafe try optionalText(metric, "metric").map {
            unsafe LogQuery.MetricOrder($0, descending: descending != 0)
        }
        return query
    }
}

@c @implementation
public func cambium_show(
    _ handle: OpaquePointer!, _ revision: UnsafePointer<CChar>!,
    _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>!
) -> cambium_code {
    call { unsafe try give(json: store(handle).show(text(revision, "revision")), json) }
}

@c @implementation
public func cambium_reflog(
    _ handle: OpaquePointer!, _ reference: UnsafePointer<CChar>!,
    _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>!
) -> cambium_code {
    call {
        let name = unsafe try optionalText(reference, "reference") ?? "HEAD"
        unsafe try give(json: store(handle).reflog(name), json)
    }
}

@c @implementation
public func cambium_diff(
    _ handle: OpaquePointer!, _ from: UnsafePointer<CChar>!, _ to: UnsafePointer<CChar>!,
    _ norms: Int32, _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>!
) -> cambium_code {
    call {
        let diff = try unsafe store(handle).diff(
            from: text(from, "from"), to: text(to, "to"), norms: norms != 0)
        unsafe try give(json: diff, json)
    }
}
