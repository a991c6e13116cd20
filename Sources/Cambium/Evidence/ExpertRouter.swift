internal import Checkpoints
internal import Evidence
internal import Objects
internal import Routing

/// A router over a layer's experts, solved in closed form from Gram sums of picks: for each of the two digits
/// of an expert's number a linear read-out.
///
/// Of the picks of the layer's own router it distils one that merges exactly. No model runs it: a
/// product-key router normalises its queries, has no biases and few rows of keys, so its tensors cannot
/// hold these read-outs.
public struct ExpertRouter: Sendable {
    let solved: SolvedRouter
    /// How it was solved.
    public let form: ReadOutForm

    /// The commit that it was solved for.
    public var commit: String { solved.commit.hex }
    /// The SHA-256 of its canonical form: the same set of evidence, the same id.
    public var id: String { solved.id.hex }
    /// The layer whose experts it picks among.
    public var layer: Int { solved.layer }
    /// λ of the high and of the low digit, chosen by what the records hold out.
    public var lambdas: [Double] { solved.lambdas }
    /// How much of the held-out targets of the high and of the low digit its form and λ tell.
    ///
    /// Solved without them, it is spared this share of the squared error of always answering with the
    /// frequencies. Empty of discriminants, whose scores are no estimates of targets, and when nothing is
    /// held out.
    public var explained: [Double] { solved.explained }
    /// Experts that it picks among.
    public var experts: Int { solved.router.expertCount }
    /// Ids of the evidence that it was solved from, ascending.
    public var evidence: [String] { solved.evidence.map(\.hex) }
    /// Names the trunk whose states it reads.
    public var trunk: String { solved.trunk.hex }
    /// Names what made integers of the states.
    public var quantiser: String { solved.quantiser.hex }

    /// Writes the router as a safetensors file; a file that is there is replaced.
    ///
    /// F32 `high.weight` [n, d] and `high.bias` [n], `low.weight` [m, d] and `low.bias` [m]: expert
    /// a · m + b scores `high.weight`[a] · x + `high.bias`[a] + `low.weight`[b] · x + `low.bias`[b], where x
    /// [d] is what the layer's router reads, the hidden state behind the norm in front of the experts. The
    /// metadata holds the id, the layer, the form and the ids of trunk and quantiser.
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
