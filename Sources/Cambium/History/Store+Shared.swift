internal import Checkpoints
internal import Models
internal import Objects
internal import Snapshots

/// What models have in common.
public struct SharedContents: Sendable, Encodable {
    /// Different experts and tensors, each counted once.
    public struct Amount: Sendable, Encodable, Equatable {
        /// Experts.
        public let experts: Int
        /// Tensors of trunks and routers.
        public let tensors: Int
        /// Bytes of both.
        public let bytes: Int
    }

    /// One model.
    public struct Model: Sendable, Encodable {
        /// As it was named.
        public let revision: String
        /// The commit.
        public let id: String
        /// What it consists of.
        public let contents: Amount
        /// What its weights were before they became codes, the latest change first; empty where none did.
        public let quantized: [Quantized]
    }

    /// What a model was before some of its weights became codes (``Store/quantize(_:_:text:limit:_:threads:progress:)``).
    public struct Quantized: Sendable, Encodable, Equatable {
        /// The commit.
        public let from: String
        /// What became codes, and in which form: "experts q4, dense q8".
        public let forms: String
    }

    /// What two models have in common.
    public struct Pair: Sendable, Encodable {
        /// The first, as it was named.
        public let left: String
        /// The second.
        public let right: String
        /// The same bytes in both, stored once.
        public let shared: Amount
        /// Besides, what of the first has the values of something in the second when both are rounded to BF16;
        /// stored separately.
        ///
        /// Nil when values were not compared.
        public let sameInBF16: Amount?
    }

    /// In the order given.
    public let models: [Model]
    /// Every two of them.
    public let pairs: [Pair]
    /// What every model has.
    public let inAll: Amount
    /// What all of them consist of, stored once.
    public let together: Amount
    /// Bytes of the models, each counted by itself.
    public let separateBytes: Int
}

extension Store {
    /// What some models share: experts and tensors of the same bytes, wherever in the models they are, and those
    /// that differ in precision alone.
    ///
    /// Files such as config.json are left out.
    ///
    /// - Parameters:
    ///   - revisions: At least two.
    ///   - values: Whether values are compared as BF16 where bytes differ.
    ///   - progress: Told the objects that are rounded.
    /// - Throws: `usage` for fewer than two; `not-found`.
    /// - Complexity: Reads the ids of all experts; with `values` also all floats that not all models share.
    public func shared(
        _ revisions: [String], values: Bool = true, progress: ProgressReporter = { _ in }
    ) throws -> SharedContents {
        let (models, weights) = try snapshots.shared(
            revisions, values: values, progress: progress)
        let contents = models.indices.map { SharedContents.Amount(weights.contents(of: $0)) }
        return SharedContents(
            models: try zip(models, contents).map { model, contents in
                SharedContents.Model(
                    revision: model.name, id: model.snapshot.id.hex, contents: contents,
                    quantized: try snapshots.quantizations(of: model.snapshot).map {
                        SharedContents.Quantized(from: $0.from.hex, forms: $0.forms)
                    })
            },
            pairs: models.indices.flatMap { left in
                models.indices.dropFirst(left + 1).map { right in
                    let (shared, same) = weights.shared(left, right)
                    return SharedContents.Pair(
                        left: revisions[left], right: revisions[right], shared: .init(shared),
                        sameInBF16: values ? .init(same) : nil)
                }
            }, inAll: .init(weights.inAll), together: .init(weights.together),
            separateBytes: contents.reduce(0) { $0 + $1.bytes })
    }
}

extension SharedContents.Amount {
    fileprivate init(_ amount: SharedWeights.Amount) {
        self.init(experts: amount.experts, tensors: amount.tensors, bytes: amount.bytes)
    }
}
