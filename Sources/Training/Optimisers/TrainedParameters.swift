package import Tensors

/// What a run of training changes, and how the model's weights follow from it.
package protocol TrainedParameters: AnyObject {
    /// Its weights are those that training runs; `apply` sets them.
    var model: TrainableModel { get }
    /// Whether the expert layers run.
    var usesExperts: Bool { get }
    /// Whether the experts' rows are trained.
    var trainsExperts: Bool { get }
    /// By expert layer the experts whose rows are trained; nil for all.
    var editableRows: [Set<UInt32>]? { get }
    /// The tables whose rows are trained, one for each layer with hashed experts; empty when none is.
    var trainedRows: [RowTable] { get }
    /// What the rate of a row is multiplied by, by the layer's place and the row; nil for 1.
    var rowFactor: ((Int, UInt32) -> Float)? { get }
    /// The numbers that the optimiser moves.
    var values: FloatMemory { get }
    /// Those of `values` that it may move; the others are frozen.
    var segments: [TrainedSegment] { get }
    /// Sets the gradient of `values` from that of the model's dense weights.
    func convert(_ gradient: FloatSlice, into own: FloatSlice)
    /// Makes the model's weights follow `values`.
    func apply()
}

extension TrainedParameters {
    package var editableRows: [Set<UInt32>]? { nil }
    package var trainedRows: [RowTable] { [] }
    package var rowFactor: ((Int, UInt32) -> Float)? { nil }
}

/// Neighbouring parameters that are treated alike.
package struct TrainedSegment: Sendable {
    package let range: Range<Int>
    /// Whether weight decay applies: to matrices, not to norms and sub-keys.
    package let decays: Bool

    package init(range: Range<Int>, decays: Bool) {
        self.range = range
        self.decays = decays
    }
}

/// The weights of a model themselves.
package final class WholeModel: TrainedParameters {
    package let model: TrainableModel
    package let usesExperts = true
    package let trainsExperts: Bool
    package let segments: [TrainedSegment]
    package let trainedRows: [RowTable]
    package let rowFactor: ((Int, UInt32) -> Float)?

    package var values: FloatMemory { model.weights }

    /// - Parameters:
    ///   - model: Changed by training.
    ///   - isFrozen: Tells by a tensor's checkpoint name that it stays byte for byte.
    ///   - trainsExperts: False to freeze the rows of all experts.
    ///   - protecting: How often earlier texts used each hashed expert, which then moves the less: by layer, then
    ///     row. Nil for none.
    package init(
        _ model: TrainableModel, trainsExperts: Bool = true,
        protecting uses: [[UInt32]]? = nil, isFrozen: (String) -> Bool = { _ in false }
    ) {
        self.model = model
        self.trainsExperts = trainsExperts
        trainedRows = trainsExperts ? model.rows.map { $0[$0.count - 1] } : []
        rowFactor = uses.map { uses in { 1 / (1 + Float(uses[$0][Int($1)]) / 4) } }
        segments = model.layout.entries.filter { !isFrozen($0.name) }.map {
            TrainedSegment(range: $0.range, decays: ![.norm, .subKeys, .bias].contains($0.role))
        }
    }

    package func convert(_ gradient: FloatSlice, into own: FloatSlice) { own.copy(gradient) }
    package func apply() {}
}
