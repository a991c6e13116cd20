internal import Checkpoints
internal import Evidence
internal import Objects
internal import Routing

/// A router over a layer's experts, solved in closed form from Gram sums of picks: for each head of product keys, and
/// each of the two digits of an expert's number, a linear read-out, or one for each level of a tree.
///
/// Of the picks of the layer's own router, or of those that were assigned, it makes one that merges exactly.
/// ``Store/commitRouter(layer:form:threads:_:)`` makes it the model's.
public struct ExpertRouter: Sendable {
    let solved: SolvedRouter
    /// How it was solved.
    public let form: ReadOutForm

    /// The commit that it was solved for.
    public var commit: String { solved.commit.hex }
    /// The SHA-256 of its canonical form: the same set of evidence, the same id.
    public var id: String { solved.solution.id.hex }
    /// The layer whose experts it picks among.
    public var layer: Int { solved.solution.layer }
    /// λ of the high and of the low digit of each head, or of each level of a tree, chosen by what the records hold out.
    public var lambdas: [Double] { solved.solution.lambdas }
    /// How much of the held-out targets its form and λ tell, of each of those.
    ///
    /// Solved without them, it is spared this share of the squared error of always answering with the
    /// frequencies. Empty of discriminants, whose scores are no estimates of targets, and when nothing is
    /// held out.
    public var explained: [Double] { solved.solution.explained }
    /// Experts that it picks among.
    public var experts: Int { solved.solution.expertCount }
    /// Ids of the evidence that it was solved from, ascending.
    public var evidence: [String] { solved.solution.evidence.map(\.hex) }
    /// Names the trunk whose states it reads.
    public var trunk: String { solved.solution.trunk.hex }
    /// Names what made integers of the states.
    public var quantiser: String { solved.solution.quantiser.hex }

    /// Writes the router as a safetensors file; a file that is there is replaced.
    ///
    /// Of product keys F32 `high.weight` [heads · n, d] and `high.bias` [heads · n], `low.weight` [heads · m, d] and
    /// `low.bias` [heads · m]: of head h expert a · m + b scores `high.weight`[h · n + a] · x + `high.bias`[h · n + a] +
    /// `low.weight`[h · m + b] · x + `low.bias`[h · m + b], where x [d] is what the layer's router reads, the hidden
    /// state behind the norm in front of the experts. Of a tree `level.L.weight` [nodes, d] and `level.L.bias` [nodes].
    /// The metadata holds the id, the layer, the form and the ids of trunk and quantiser.
    ///
    /// - Throws: `not-found` for a missing folder, `disk-full`, `io`.
    public func save(to path: String) throws { try solved.save(to: path) }
}

extension Store {
    /// The router that a revision's Gram sums of a layer's picks are solved to.
    ///
    /// - Parameters:
    ///   - revision: A branch, a tag or a commit.
    ///   - layer: The number of a layer with experts.
    ///   - form: How it is solved.
    ///   - topK: Experts that it picks for each token; nil for as many as a head of the layer's router.
    ///   - threads: Share the work; the bits do not depend on them.
    /// - Throws: `not-found` without such evidence; `usage` when it is over another trunk than the
    ///   revision's or made with several quantisers; `unsupported` for another architecture; `corrupt` for a record that is not one.
    /// - Complexity: Reads the records of picks, not the model.
    public func expertRouter(
        _ revision: String, layer: Int, form: ReadOutForm = .ridge, topK: Int? = nil,
        threads: Int = 1
    ) throws -> ExpertRouter {
        ExpertRouter(
            solved: try snapshots.router(
                at: revision, layer: layer, form: form.form, topK: topK, threads: threads),
            form: form)
    }
}

/// What committing a solved router did.
public struct CommittedRouter: Sendable {
    /// The router, of the commit before.
    public let router: ExpertRouter
    /// The commit.
    public let result: CommitResult
}

extension Store {
    /// Commits a branch's model with the router that the branch's Gram sums of a layer's picks are solved to in the
    /// place of the layer's.
    ///
    /// The model runs it like any router. While it is what its evidence gives, merges unite the evidence and solve it
    /// again: the same bits as if one branch had added all of it.
    ///
    /// - Parameters:
    ///   - layer: The number of a layer with neurons, below product keys or a tree.
    ///   - form: How it is solved; that of the other layers that have such a router.
    ///   - threads: Share the work; the bits do not depend on them.
    ///   - options: The branch, which must have the evidence, and the message.
    /// - Throws: `not-found` without such evidence; `usage` when it is over another trunk than the branch's, of other
    ///   experts, or made with several quantisers, and for another form than other layers have; `unsupported` for
    ///   another architecture or a layer without neurons; `depended-on` where the router of a layer above is solved from
    ///   states behind this one; `unfit` for adapters that were trained over the router before; `branch-moved`.
    @discardableResult
    public func commitRouter(
        layer: Int, form: ReadOutForm = .ridge, threads: Int = 1, _ options: CommitOptions
    ) throws -> CommittedRouter {
        let made = try snapshots.commitRouter(
            options.request, layer: layer, form: form.form, threads: threads)
        return CommittedRouter(
            router: ExpertRouter(solved: made.router, form: form), result: CommitResult(made.model))
    }
}
