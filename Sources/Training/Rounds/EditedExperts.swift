internal import Architectures
internal import Models
package import Tensors

/// A model of which some experts are trained, and nothing else.
package final class EditedExperts: TrainedParameters {
    package let model: TrainableModel
    package let usesExperts = true
    package let trainsExperts: Bool
    package let segments: [TrainedSegment]
    /// By layer with experts; ascending.
    package let experts: [[Int]]
    package let editableRows: [Set<UInt32>]?

    package var values: FloatMemory { model.weights }

    /// - Parameters:
    ///   - model: Changed by training.
    ///   - experts: By layer of the config's `expertLayers`.
    package init(_ model: TrainableModel, experts: [[Int]]) {
        let layers = model.config.expertLayers
        precondition(experts.count == layers.count, "experts of \(experts.count) layers")
        self.model = model
        self.experts = experts
        trainsExperts = !model.config.peerLayers.isEmpty
        editableRows = trainsExperts ? experts.map { Set($0.map { UInt32($0) }) } : nil
        segments = zip(layers, experts).flatMap { layer, experts in
            experts.compactMap { expert in
                model.layout.expert(expert, layer: layer).map {
                    TrainedSegment(range: $0, decays: false)
                }
            }
        }
    }

    /// Numbers that are trained.
    package var parameterCount: Int {
        let each = model.config.linear?.width ?? 0
        let size = trainsExperts ? 2 * model.config.hiddenSize : 3 * each * model.config.hiddenSize
        return size * experts.reduce(0) { $0 + $1.count }
    }

    package func convert(_ gradient: FloatSlice, into own: FloatSlice) { own.copy(gradient) }
    package func apply() {}

    /// An expert as a store keeps it: rows u and v, or gate, up and down.
    ///
    /// - Parameter slot: Of the layers with experts.
    package func expert(_ number: Int, slot: Int) -> [Float] {
        if let range = model.layout.expert(number, layer: model.config.expertLayers[slot]) {
            return model.weights[range].array
        }
        let size = 2 * model.config.hiddenSize
        return model.experts[slot][number * size..<(number + 1) * size].array
    }
}
