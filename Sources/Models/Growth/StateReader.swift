internal import Architectures
internal import Elements
package import Routing
package import Tensors

/// Reads what a model's expert layers read on a text, as evidence of what they are to go on doing.
package struct StateReader {
    private let model: LanguageModel
    private let team: ThreadTeam

    package init(_ model: LanguageModel, team: ThreadTeam = .single) {
        self.model = model
        self.team = team
    }

    /// The states in front of each layer's experts, of evenly spread tokens, and which hashed experts those pick.
    ///
    /// - Parameters:
    ///   - windows: Each is read alone, and fits the context.
    ///   - count: States of a layer, at most as many as there are tokens.
    /// - Throws: `.badInput` for a token that the vocabulary lacks; `.unsupported` for a model without experts;
    ///   `.notFinite`; what reading an expert throws.
    /// - Complexity: One run over the windows, with the states of all of them in memory.
    package func read(
        _ windows: [[Int]], count: Int,
        progress: (_ done: Int, _ all: Int) throws -> Void = { _, _ in }
    ) throws -> (count: Int, layers: [StateContribution.Layer], rows: StateContribution.Rows?) {
        try ExpertGrowth.check(windows, model.description)
        let tokens = windows.reduce(0) { $0 + $1.count }
        let count = min(count, tokens)
        let places = (0..<count).map { $0 * tokens / count }
        let walk = LayerWalk(model, windows, team: team)
        let width = model.description.hiddenSize
        var layers: [StateContribution.Layer] = []
        for (number, parts) in model.layers.enumerated() {
            try walk.attend(number)
            for block in parts.blocks {
                walk.read(block)
                if case .experts = block.feedForward {
                    let flat = Array(walk.inputs.joined())
                    layers.append(
                        StateContribution.Layer(
                            number: UInt32(number), width: width,
                            states: places.flatMap { flat[$0 * width..<($0 + 1) * width] }))
                }
                _ = try walk.feed(block)
            }
            try progress(number + 1, model.layers.count)
        }
        let rows = rows(windows, places)
        guard !layers.isEmpty || rows != nil else {
            throw CambiumError(.unsupported, "the model has no experts")
        }
        return (count, layers, rows)
    }

    /// What some tokens pick of hashed experts, which is the same in front of all layers.
    private func rows(_ windows: [[Int]], _ places: [Int]) -> StateContribution.Rows? {
        guard let router = model.layers.lazy.compactMap(\.rows).first?.router else { return nil }
        let all = windows.flatMap { router.rows(of: $0.map { UInt8(truncatingIfNeeded: $0) }) }
        let orders = router.picksPerToken
        return StateContribution.Rows(
            router: router, picks: places.flatMap { all[$0 * orders..<($0 + 1) * orders] })
    }
}
