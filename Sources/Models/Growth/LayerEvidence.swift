internal import Elements
internal import Routing
internal import Tensors

/// What a layer's router reads and decides on old and new texts, as its further row is solved from.
struct LayerEvidence {
    let scales: [Float]
    let old: EntryGramSums
    private(set) var new: EntryGramSums
    private(set) var heldOld = EntryRow.HeldOut()
    private(set) var heldNew = EntryRow.HeldOut()
    /// How far a new token's best score is above its entry, in the mean.
    let spread: Double
    /// What steers the picks of the further expert, with sigmoids: the mean of the others.
    let correction: Float

    /// - Parameters:
    ///   - inputs: Of each text [tokens, width].
    ///   - texts: What they are; at least one of old text to choose by, and of new text to fit and to choose by.
    ///   - old: What was summed up of old text.
    init(
        _ inputs: [[Float]], _ texts: [ExpertGrowth.Text], _ router: LinearRouter,
        _ old: RouteContribution.Layer, team: ThreadTeam
    ) throws {
        let correction = router.newcomerCorrection
        let quantiser = old.quantiser
        do {
            var new = EntryGramSums(width: quantiser.width)
            var (above, count) = (0.0, 0)
            for (input, text) in zip(inputs, texts) {
                guard text.use == .fit || text.use == .choose else { continue }
                let features = try quantiser.features(input.span)
                let (entries, best) = router.entries(
                    input.span, tokens: input.count / quantiser.width, correction: correction,
                    team: team)
                switch (text.isOld, text.use) {
                case (true, _): heldOld.add(features, entries: entries)
                case (false, .fit):
                    try new.add(features, entries: entries)
                    for (entry, best) in zip(entries, best) { above += Double(best - entry) }
                    count += entries.count
                case (false, _): heldNew.add(features, entries: entries)
                }
            }
            self.new = new
            // Of top-1 the best is the entry; a hundredth is then no reason to divide by.
            spread = max(above / Double(max(count, 1)), 0.25)
        } catch let error as CambiumError where error.isOfEvidence {
            throw CambiumError(.badInput, error.message, cause: error)
        }
        scales = quantiser.scales
        self.old = old.gramSums
        self.correction = correction
    }
}
