internal import Checkpoints
internal import Snapshots

extension Store {
    /// Commits a branch's model with its routers quantised: each row of a query projection or of
    /// sub-keys becomes int8 with one fp32 scale, its greatest magnitude / 127.
    ///
    /// Other routers, as those of SwiGLU experts, stay.
    ///
    /// Routes of the new snapshot are as exact and invariant as before, but not the same: the keys are
    /// rounded, and so are hidden states when they meet them. A router tensor `T` becomes I8, and
    /// `T.scale` [rows] joins it; an export writes both, and the model before stays in history.
    ///
    /// - Parameters:
    ///   - options: The branch, which must have a model with product-key routers, and the message.
    ///   - layers: Only these; nil for all.
    /// - Throws: `not-found` without a model or such a layer, `unsupported` when there are only other
    ///   routers, and for NaN or infinity in a router.
    @discardableResult
    public func quantizeRouters(
        _ options: CommitOptions, layers: [Int]? = nil
    ) throws -> CommitResult {
        CommitResult(try snapshots.quantizeRouters(options.request, layers: layers))
    }
}
