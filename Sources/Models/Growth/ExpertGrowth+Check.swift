internal import Architectures
internal import Elements
internal import Routing

/// What is refused before a model grows.
extension ExpertGrowth {
    /// Refuses routers that no row can be added to.
    static func check(_ description: ModelDescription) throws {
        for layer in description.expertLayers {
            guard description.matrixForm == .rows, let sizes = description.layers[layer].experts
            else {
                throw CambiumError(
                    .badConfig,
                    "layer \(layer) of the \(description.architecture) model has no router of rows that one "
                        + "more could be solved for; experts are added by training an adapter there (--new-experts)"
                )
            }
            guard sizes.topK < sizes.count else {
                throw CambiumError(
                    .badConfig,
                    "layer \(layer) picks all of its \(sizes.count) experts for every token, so that "
                        + "there are no routes that a further expert could leave as they are")
            }
            if let groups = sizes.groups {
                throw CambiumError(
                    .badConfig,
                    "layer \(layer) picks experts from \(groups) groups of one size; one more expert "
                        + "does not divide into them")
            }
        }
    }

    /// Refuses texts that the model cannot read.
    static func check(_ texts: [[Int]], _ description: ModelDescription) throws {
        let longest = min(Session.blockSize, description.contextLength)
        for text in texts {
            guard (1...max(longest, 1)).contains(text.count) else {
                throw CambiumError(
                    .badInput, "a window of \(text.count) tokens; the model reads 1 to \(longest)")
            }
            try description.check(text)
        }
    }

    /// Old text's sums by layer, when they are of the model's layers.
    static func layers(
        of old: UnitedRoutes, _ model: LanguageModel
    ) throws -> [Int: RouteContribution.Layer] {
        var layers: [Int: RouteContribution.Layer] = [:]
        for layer in old.layers { layers[Int(layer.number)] = layer }
        let scales = model.routerInputScales
        for number in model.description.expertLayers {
            let quantiser = try? Quantiser(normWeights: scales[number] ?? [])
            guard let layer = layers[number], layer.quantiser == quantiser else {
                throw CambiumError(
                    .badInput,
                    "the evidence of old routes is not of what layer \(number) reads; add its text anew"
                )
            }
        }
        return layers
    }
}
