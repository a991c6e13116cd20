package import Models
package import Tensors

/// What one round adds to a frozen base: deltas of dense weights, active when the cohort is.
///
/// The cohort's weights are base + delta in 32-bit floats, one rounding per weight; a low-rank delta
/// is b a, summed in ascending rank by fused products from 0. Training and inference agree on this.
package final class Cohort: TrainedParameters {
    package enum Kind: Sendable, Hashable {
        /// Full-rank deltas of every dense weight (not of expert layers).
        case dense
        /// Low-rank deltas of every matrix, embedding and head (Hu et al., LoRA, 2106.09685).
        case lowRank(Int)
    }

    package let base: TrainableModel
    package let kind: Kind
    package let usesExperts: Bool
    package let trainsExperts = false
    /// Base + delta.
    package let model: TrainableModel
    package let values: FloatMemory
    package let segments: [TrainedSegment]
    private let factors: [Factors]

    /// Where the factors of one tensor lie in `values`.
    private struct Factors {
        let entry: ParameterLayout.Entry
        /// [rank, columns] and [rows, rank].
        let a, b: Range<Int>
        let rank: Int

        var rows: Int { entry.shape[0] }
        var columns: Int { entry.shape[1] }
    }

    /// A cohort that changes nothing yet: deltas are 0 (of low rank: b is 0, a is normal with
    /// deviation 1 / √columns).
    ///
    /// - Parameters:
    ///   - base: Not changed.
    ///   - usesExperts: Whether the base's expert layers run while the cohort is active.
    package init(on base: TrainableModel, kind: Kind, usesExperts: Bool, seed: UInt64) {
        self.base = base
        self.kind = kind
        self.usesExperts = usesExperts
        model = base.sharingExperts()
        let entries = base.layout.entries.filter { !$0.isOfExperts }
        switch kind {
        case .dense:
            values = FloatMemory(count: base.layout.count)
            segments = entries.map { TrainedSegment(range: $0.range, decays: false) }
            factors = []
        case .lowRank(let rank):
            precondition(rank >= 1, "deltas of rank \(rank)")
            var count = 0
            var factors: [Factors] = []
            for entry in entries where entry.shape.count == 2 {
                let a = count..<count + rank * entry.shape[1]
                let b = a.upperBound..<a.upperBound + entry.shape[0] * rank
                factors.append(Factors(entry: entry, a: a, b: b, rank: rank))
                count = b.upperBound
            }
            self.factors = factors
            values = FloatMemory(count: count)
            segments = [TrainedSegment(range: 0..<count, decays: false)]
            var noise = NormalNoise(seed: seed)
            for part in factors {
                noise.fill(values[part.a], deviation: 1 / Float(part.columns).squareRoot())
            }
        }
        apply()
    }

    /// Goes on from deltas that were trained before.
    ///
    /// - Parameter source: Has the cohort's tensors, by the names that ``tensors(named:)`` gives.
    /// - Throws: `.missingTensor` or `.badTensor`, naming it.
    package func load(_ name: String, from source: some WeightSource) throws(TrainingError) {
        for (tensor, range) in ranges(named: name) {
            guard let values = try source.floats(tensor) else {
                throw TrainingError(.missingTensor, "there is no tensor \(tensor)")
            }
            guard values.count == range.count else {
                throw TrainingError(
                    .badTensor,
                    "tensor \(tensor) has \(values.count) elements; the cohort has \(range.count)")
            }
            self.values[range].copy(values)
        }
        apply()
    }

    /// The names of the tensors that a store keeps of the cohort.
    package func tensorNames(_ name: String) -> [String] { ranges(named: name).map(\.tensor) }

    private func ranges(named name: String) -> [(tensor: String, range: Range<Int>)] {
        if kind == .dense {
            return base.layout.entries.filter { !$0.isOfExperts }.map {
                ("cohorts.\(name).\($0.name)", $0.range)
            }
        }
        return factors.flatMap { part in
            [
                ("cohorts.\(name).\(part.entry.name).a", part.a),
                ("cohorts.\(name).\(part.entry.name).b", part.b),
            ]
        }
    }

    /// Parameters that the cohort adds.
    package var parameterCount: Int { segments.reduce(0) { $0 + $1.range.count } }

    package func convert(_ gradient: FloatSlice, into own: FloatSlice) {
        guard kind != .dense else { return own.copy(gradient) }
        for part in factors {
            let whole = MatrixSlice(
                gradient[part.entry.range], rows: part.rows, columns: part.columns)
            let a = MatrixSlice(values[part.a], rows: part.rank, columns: part.columns)
            let b = MatrixSlice(values[part.b], rows: part.rows, columns: part.rank)
            multiply(
                b.transposed, whole,
                into: MatrixSlice(own[part.a], rows: part.rank, columns: part.columns))
            multiply(
                whole, a.transposed,
                into: MatrixSlice(own[part.b], rows: part.rows, columns: part.rank))
        }
    }

    package func apply() {
        model.weights.slice.copy(base.weights.slice)
        guard kind != .dense else {
            for segment in segments {
                model.weights[segment.range].add(values[segment.range])
            }
            return
        }
        for part in factors {
            let delta = FloatMemory(count: part.rows * part.columns)
            for row in 0..<part.rows {
                let target = delta[row * part.columns..<(row + 1) * part.columns]
                for index in 0..<part.rank {
                    let start = part.a.lowerBound + index * part.columns
                    target.add(
                        values[start..<start + part.columns],
                        times: values.slice[part.b.lowerBound + row * part.rank + index])
                }
            }
            model.weights[part.entry.range].add(delta.slice)
        }
    }

    /// What a store keeps of the cohort: `cohorts.NAME.TENSOR` holds a full-rank delta,
    /// `cohorts.NAME.TENSOR.a` and `.b` a low-rank one.
    package func tensors(named name: String) -> [NamedTensor] {
        if kind == .dense {
            return base.layout.entries.filter { !$0.isOfExperts }.map {
                NamedTensor(
                    name: "cohorts.\(name).\($0.name)", shape: $0.shape,
                    values: values[$0.range].array)
            }
        }
        return factors.flatMap { part in
            let tensor = "cohorts.\(name).\(part.entry.name)"
            return [
                NamedTensor(
                    name: tensor + ".a", shape: [part.rank, part.columns],
                    values: values[part.a].array),
                NamedTensor(
                    name: tensor + ".b", shape: [part.rows, part.rank],
                    values: values[part.b].array),
            ]
        }
    }

    /// What the tensor of U8 says that describes the cohort.
    ///
    /// - Parameter base: The digest of the base's trunk.
    package func description(base: String) -> CohortDescription {
        CohortDescription(
            kind: kind == .dense ? .dense : .lora, usesExperts: usesExperts, base: base)
    }
}
