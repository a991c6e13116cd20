internal import Elements

extension Architecture {
    /// A config.json with another count of experts.
    ///
    /// - Parameters:
    ///   - config: Its bytes.
    ///   - difference: Experts more, or less.
    /// - Throws: `.badConfig` for what is no JSON; `.unsupported` where it says nowhere how many experts there are.
    package static func config(_ config: [UInt8], adding difference: Int) throws -> [UInt8] {
        var text = JSONEdit(config, source: "config.json", code: .badConfig)
        var count = 0
        for key in allCountKeys {
            for place in [[key], [textConfig, key]] where try text.add(difference, to: place) {
                count += 1
            }
        }
        guard count > 0 else {
            throw CambiumError(
                .unsupported,
                "config.json says nowhere how many experts there are; the model could not be loaded"
            )
        }
        return text.bytes
    }
}

extension ModelDescription {
    /// The same model with more experts in some of its layers, behind those that they have.
    ///
    /// - Parameter numbers: Of layers; those without experts stay as they are.
    package func adding(_ experts: Int, to numbers: [Int]) -> ModelDescription {
        guard experts > 0 else { return self }
        var description = self
        for number in numbers where layers.indices.contains(number) {
            for place in layers[number].blocks.indices {
                guard case .experts(var sizes) = layers[number].blocks[place].feedForward else {
                    continue
                }
                sizes.count += experts
                description.layers[number].blocks[place].feedForward = .experts(sizes)
            }
        }
        return description
    }

    /// What models have in common whose parts can be exchanged: the same but for the numbers of gated experts.
    package var structure: ModelDescription {
        var structure = self
        for (number, layer) in layers.enumerated() {
            for (place, block) in layer.blocks.enumerated() {
                guard case .experts(var sizes) = block.feedForward else { continue }
                sizes.count = 0
                structure.layers[number].blocks[place].feedForward = .experts(sizes)
            }
        }
        return structure
    }
}
