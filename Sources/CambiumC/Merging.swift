// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation
// What each function does is said in cambium.h, which users read.

public import CCambium
internal import Cambium

@c @implementation
public func cambium_merge(
    _ handle: OpaquePointer!, _ revisions: UnsafePointer<UnsafePointer<CChar>?>!,
    _ revision_count: UInt64, _ options: UnsafePointer<cambium_merge_options>!,
    _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>!
) -> cambium_code {
    call {
        let store = unsafe try store(handle)
        let options = unsafe options?.pointee ?? cambium_merge_options()
        let flags = unsafe options.flags
        let result = try unsafe store.merge(
            texts(revisions, revision_count, "revisions"),
            into: optionalText(options.into, "options.into"),
            policy: mergePolicy(options.policy, "options.policy"),
            takes: texts(options.takes, options.take_count, "options.takes").map {
                try MergeTake($0)
            }, weights: numbers(options.weights, options.weight_count, "options.weights"),
            settings: PolicySettings(
                density: options.density == 0 ? 0.2 : options.density,
                scale: options.scale == 0 ? 1 : options.scale),
            message: optionalText(options.message, "options.message"),
            dryRun: flags.has(CAMBIUM_DRY_RUN), allowsUnfit: flags.has(CAMBIUM_ALLOW_UNFIT),
            signature(options.author, options.time))
        unsafe try give(json: result, json)
    }
}

@c @implementation
public func cambium_revert(
    _ handle: OpaquePointer!, _ revision: UnsafePointer<CChar>!,
    _ options: UnsafePointer<cambium_merge_options>!,
    _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>!
) -> cambium_code {
    call {
        let store = unsafe try store(handle)
        let options = unsafe options?.pointee ?? cambium_merge_options()
        let result = try unsafe store.revert(
            text(revision, "revision"), branch: optionalText(options.into, "options.into"),
            policy: mergePolicy(options.policy, "options.policy"),
            message: optionalText(options.message, "options.message"),
            allowsUnfit: options.flags.has(CAMBIUM_ALLOW_UNFIT),
            signature(options.author, options.time))
        unsafe try give(json: result, json)
    }
}

/// A policy by its name; none for NULL.
func mergePolicy(_ name: UnsafePointer<CChar>?, _ what: String) throws -> MergePolicy {
    guard let name = unsafe try optionalText(name, what) else { return .none }
    guard let policy = MergePolicy(rawValue: name) else {
        throw Failure(
            CAMBIUM_USAGE,
            "there is no policy '\(name)'; there are "
                + MergePolicy.allCases.map(\.rawValue).joined(separator: ", "))
    }
    return policy
}
