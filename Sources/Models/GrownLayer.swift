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

/// A layer with one more expert, and what is stored of it.
struct GrownLayer {
    let experts: DecoderModel.Experts
    let row: EntryRow
    let stored: [ExpertGrowth.RouterPart: [UInt8]]

    /// - Parameters:
    ///   - layer: Its number.
    ///   - aim: The share of old tokens that may pick the expert, and the margins to try.
    init(
        _ before: DecoderModel.Experts, adding expert: [UInt8], _ evidence: LayerEvidence,
        layer: Int, _ aim: (loss: Double, margins: [Double]), _ team: ThreadTeam,
        _ rounding: ExpertGrowth.Rounding
    ) throws(ModelError) {
        let router = before.router
        guard let matrix = router.weights as? RowMatrix else {
            throw ModelError(.badTensor, "a router of quantised rows cannot be given one more")
        }
        do throws(EvidenceError) {
            row = try EntryRow(
                old: evidence.old, new: evidence.new,
                margins: aim.margins.map { $0 * evidence.spread },
                heldOld: evidence.heldOld, heldNew: evidence.heldNew, scales: evidence.scales,
                hasBias: !router.bias.isEmpty, loss: aim.loss, team: team)
        } catch {
            throw ModelError(.badInput, "layer \(layer): \(error.message)", cause: error)
        }
        let storedRow = rounding(row.weights, layer, .row)
        var stored = [ExpertGrowth.RouterPart.row: storedRow.bytes]
        var bias = router.bias
        if !bias.isEmpty {
            let rounded = rounding([row.bias], layer, .bias)
            stored[.bias] = rounded.bytes
            bias += rounded.numbers
        }
        var scoring = router.scoring
        if case .sigmoid(let sigmoid) = scoring {
            let rounded = rounding([evidence.correction], layer, .correction)
            stored[.correction] = rounded.bytes
            scoring = .sigmoid(
                SigmoidScoring(
                    correction: sigmoid.correction + rounded.numbers, groups: 1, pickedGroups: 1,
                    isNormalised: sigmoid.isNormalised, scale: sigmoid.scale))
        }
        self.stored = stored
        experts = DecoderModel.Experts(
            router: LinearRouter(
                matrix.adding(row: storedRow.bytes), bias: bias, topK: router.topK,
                scoring: scoring),
            table: GrownExpertTable(before.table, adding: expert), form: before.form,
            shared: before.shared, slot: before.slot)
    }
}
