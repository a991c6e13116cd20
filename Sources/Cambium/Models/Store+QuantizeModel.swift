internal import Architectures
internal import Checkpoints
internal import Objects
internal import Snapshots

/// Codes in blocks of 32 elements of a row with a scale of F16 each.
public enum QuantizedForm: String, Sendable, Encodable, CaseIterable {
    /// A byte an element; the numbers of GGUF's Q8_0.
    case q8
    /// Half a byte; the numbers of GGUF's Q4_0.
    case q4
}

/// Which parts of a model are to become codes, and in which form; nil for those that stay.
public struct QuantizedParts: Sendable, Equatable {
    /// Gated experts.
    public var experts: QuantizedForm?
    /// Matrices of attention, of feed-forwards that every token uses, and of the head.
    public var dense: QuantizedForm?
    /// Linear routers.
    public var routers: QuantizedForm?
    /// The embedding, which is the head too where a model ties them.
    public var embeddings: QuantizedForm?

    /// Parts by their forms.
    ///
    /// - Parameters:
    ///   - experts: Gated experts.
    ///   - dense: Matrices of attention, feed-forwards and the head.
    ///   - routers: Linear routers.
    ///   - embeddings: The embedding.
    public init(
        experts: QuantizedForm? = nil, dense: QuantizedForm? = nil, routers: QuantizedForm? = nil,
        embeddings: QuantizedForm? = nil
    ) {
        (self.experts, self.dense) = (experts, dense)
        (self.routers, self.embeddings) = (routers, embeddings)
    }
}

/// What quantising a model made of it.
public struct QuantizeResult: Sendable, Encodable {
    /// The commit.
    public let commit: CommitResult
    /// The commit that it was made from.
    public let from: String
    /// The parts of the model that are codes now: the form by `experts`, `dense`, `routers`, `embeddings`.
    public let forms: [String: QuantizedForm]
    /// Experts that became codes.
    public let experts: Int
    /// Matrices outside of experts that became codes.
    public let matrices: Int
    /// Bytes of what became codes, before.
    public let bytesBefore: Int
    /// Bytes of it after, scales included.
    public let bytesAfter: Int
    /// What was asked for and stays as it is, each with the reason.
    public let left: [String]
    /// Blocks of numbers so near to 0 that their scale is 0 or one of the least of F16: they became zeros, or are coarser
    /// than others.
    public let coarseBlocks: Int
    /// Bits per byte of the text, before and after; nil without a text.
    public let bitsPerByte: [Double]?
}

extension Store {
    /// Commits a model with experts, dense matrices, routers or embeddings as codes of 8 or 4 bits.
    ///
    /// Of 32 elements of a row the scale is the greatest magnitude / 127 (``QuantizedForm/q8``), or the element that is
    /// farthest from 0, / −8 (``QuantizedForm/q4``), as F16. Norms, biases, convolutions and gates of shared experts stay
    /// floats, and so does every part that is not named. The loss is recorded as such in the commit: from which commit,
    /// what, in which form. The model before stays in history.
    ///
    /// What has inputs that 32 does not divide stays as it is, and is told of in ``QuantizeResult/left``.
    ///
    /// - Parameters:
    ///   - revision: The model; the options' branch (the revision itself where it is a branch, else HEAD's) must be there,
    ///     and one that is missing begins there.
    ///   - parts: What becomes codes.
    ///   - text: What bits per byte are measured of, before and after; nil for nothing.
    ///   - limit: Bytes of its beginning that count; nil for all.
    ///   - options: The branch, and the message.
    ///   - threads: Share the measuring; the result does not depend on them.
    ///   - progress: Told the experts and matrices that are done, and the windows that are measured.
    /// - Throws: `usage` without a part, and for routers as q4; `unsupported` for a model that is codes already, for one of another kind, when
    ///   nothing can become codes, and for NaN and infinity; `bad-input` for a text that cannot be measured;
    ///   `branch-moved`. Then nothing is committed. What fails when the model that was made is measured leaves the commit.
    /// - Complexity: Some experts, and the codes of one matrix, are in memory at a time.
    @discardableResult
    public func quantize(
        _ revision: String = "HEAD", _ parts: QuantizedParts, text: [UInt8]? = nil,
        limit: Int? = 20_000, _ options: CommitOptions, threads: Int = 1,
        progress: ProgressReporter = { _ in }
    ) throws -> QuantizeResult {
        func bits(_ id: String) throws -> Double? {
            try text.map {
                try model(id).evaluate($0, limit: limit, threads: threads, progress: progress)
                    .bitsPerByte
            }
        }
        var request = options.request
        if request.branch == nil, try snapshots.references().branches[revision] != nil {
            request.branch = revision
        }
        var before: Double?
        let made = try snapshots.quantize(
            revision, BlockForms(parts), request, progress: progress
        ) { before = try bits($0.hex) }
        let commit = CommitResult(made.model)
        let after = try bits(commit.id)
        return QuantizeResult(
            commit: commit, from: made.from.hex, forms: made.forms.named, experts: made.experts,
            matrices: made.matrices, bytesBefore: made.before, bytesAfter: made.after,
            left: made.left, coarseBlocks: made.coarse,
            bitsPerByte: before.flatMap { before in after.map { [before, $0] } })
    }
}

extension BlockForms {
    fileprivate init(_ parts: QuantizedParts) {
        func form(_ own: QuantizedForm?) -> BlockForm? {
            switch own {
            case .q8: .q8
            case .q4: .q4
            case nil: nil
            }
        }
        self.init(
            experts: form(parts.experts), dense: form(parts.dense), routers: form(parts.routers),
            embedding: form(parts.embeddings))
    }

    fileprivate var named: [String: QuantizedForm] {
        var named: [String: QuantizedForm] = [:]
        for (part, form) in all {
            switch form {
            case .q8: named[part] = .q8
            case .q4: named[part] = .q4
            case nil: continue
            }
        }
        return named
    }
}
