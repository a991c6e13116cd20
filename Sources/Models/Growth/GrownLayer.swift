internal import Elements
internal import Routing
internal import Tensors

/// A layer with one more expert, and what is stored of it.
struct GrownLayer {
    let experts: LanguageModel.Experts
    let row: EntryRow
    let stored: [ExpertGrowth.RouterPart: [UInt8]]

    /// - Parameters:
    ///   - layer: Its number.
    ///   - aim: How often the expert is picked.
    ///   - margins: Those to try.
    init(
        _ before: LanguageModel.Experts, _ router: LinearRouter, adding expert: [UInt8],
        _ evidence: LayerEvidence,
        layer: Int, _ aim: EntryRow.Aim, _ margins: [Double], _ team: ThreadTeam,
        _ rounding: ExpertGrowth.Rounding
    ) throws {
        guard let matrix = router.weights as? RowMatrix, matrix.type != nil else {
            throw CambiumError(
                .badTensor,
                "only a router of rows of F32, F16 or BF16 that are read where they are stored is given one more; that of "
                    + "layer \(layer) is codes, or in another form: add the expert to the model before its routers were "
                    + "quantised (cambium log), and quantise that"
            )
        }
        do {
            row = try EntryRow(
                old: evidence.old, new: evidence.new,
                margins: margins.map { $0 * evidence.spread },
                heldOld: evidence.heldOld, heldNew: evidence.heldNew, scales: evidence.scales,
                hasBias: !router.bias.isEmpty, aim: aim, team: team)
        } catch let error as CambiumError where error.isOfEvidence {
            throw CambiumError(.badInput, "layer \(layer): \(error.message)", cause: error)
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
        if case .grouped(let grouped) = scoring {
            let rounded = rounding([evidence.correction], layer, .correction)
            stored[.correction] = rounded.bytes
            scoring = .grouped(grouped.adding(correction: rounded.numbers))
        }
        var scales = router.expertScales
        if !scales.isEmpty {
            let rounded = rounding(
                [scales.reduce(0, +) / Float(scales.count)], layer, .scale)
            stored[.scale] = rounded.bytes
            scales += rounded.numbers
        }
        self.stored = stored
        experts = before.replacing(
            router: LinearRouter(
                matrix.adding(row: storedRow.bytes), bias: bias, topK: router.topK,
                scoring: scoring, expertScales: scales),
            table: GrownExpertTable(before.table, adding: [expert]))
    }
}
