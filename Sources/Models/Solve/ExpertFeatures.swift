internal import Routing
internal import Tensors

/// What experts have between their two steps for the tokens that select them, weighed.
struct ExpertFeatures {
    struct Own {
        /// Rows among the tokens of all sources, ascending.
        var rows: [Int] = []
        /// [rows, middles].
        var values: [Double] = []
    }

    private(set) var own: [Int: Own] = [:]

    init(_ experts: [Int]) {
        for expert in experts { own[expert] = Own() }
    }

    /// - Parameter firstRow: Of the source's tokens.
    mutating func add(
        _ ordinal: Int, _ bytes: [UInt8], _ form: GatedExpertForm, _ selection: Selection,
        _ record: SourceRecord, firstRow: Int, _ team: ThreadTeam
    ) {
        let (width, inner) = (form.width, form.intermediateSize)
        var picks: [(token: Int, factor: Double)] = []
        var x: [Float] = []
        for (index, pick) in selection.experts.enumerated() where pick == ordinal {
            let token = index / selection.topK
            picks.append((token, record.root * Double(selection.weights[index])))
            x += record.inputs[token * width..<(token + 1) * width]
        }
        let middles = Kernels.gatedMiddles(form, bytes, x: x.span, team: team)
        for (index, pick) in picks.enumerated() {
            own[ordinal]?.rows.append(firstRow + pick.token)
            for element in middles[index * inner..<(index + 1) * inner] {
                own[ordinal]?.values.append(pick.factor * Double(element))
            }
            if form.hasBiases { own[ordinal]?.values.append(pick.factor) }
        }
    }
}
