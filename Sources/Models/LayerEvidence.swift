internal import Routing
internal import Tensors

/// What a layer's router reads and decides on old and new texts, as its further row is solved from.
struct LayerEvidence {
    let scales: [Float]
    private(set) var old: EntryMoments
    private(set) var new: EntryMoments
    private(set) var heldOld = EntryRow.HeldOut()
    private(set) var heldNew = EntryRow.HeldOut()
    /// How far a new token's best score is above its entry, in the mean.
    let spread: Double
    /// What steers the picks of the further expert, with sigmoids: the mean of the others.
    let correction: Float

    /// - Parameters:
    ///   - inputs: Of each text [tokens, width]: old ones, then new ones.
    ///   - norm: The weights of the norm that made the inputs, [width].
    init(
        _ inputs: [[Float]], _ router: LinearRouter, _ norm: [Float], oldCount: Int,
        team: ThreadTeam
    ) throws(ModelError) {
        var correction: Float = 0
        if case .sigmoid(let sigmoid) = router.scoring {
            let sum = sigmoid.correction.reduce(0.0) { $0 + Double($1) }
            correction = Float(sum / Double(sigmoid.correction.count))
        }
        do throws(EvidenceError) {
            let quantiser = try Quantiser(normWeights: norm)
            var (old, new) = (EntryMoments(width: norm.count), EntryMoments(width: norm.count))
            var (above, count) = (0.0, 0)
            for (index, input) in inputs.enumerated() {
                let isOld = index < oldCount
                let use = ExpertGrowth.Use(isOld ? index : index - oldCount)
                guard use == .fit || use == .choose else { continue }
                let features = try quantiser.features(input.span)
                let (entries, best) = router.entries(
                    input.span, tokens: input.count / norm.count, correction: correction,
                    team: team)
                switch (isOld, use) {
                case (true, .fit): try old.add(features, entries: entries)
                case (true, _): heldOld.add(features, entries: entries)
                case (false, .fit):
                    try new.add(features, entries: entries)
                    for (entry, best) in zip(entries, best) { above += Double(best - entry) }
                    count += entries.count
                case (false, _): heldNew.add(features, entries: entries)
                }
            }
            scales = quantiser.scales
            self.old = old
            self.new = new
            // Of top-1 the best is the entry; a hundredth is then no reason to divide by.
            spread = max(above / Double(max(count, 1)), 0.25)
            self.correction = correction
        } catch {
            throw ModelError(.badInput, error.message, cause: error)
        }
    }
}
