internal import Architectures
package import Elements
package import Snapshots
internal import Synchronization
internal import Tensors

/// RegMean (Jin et al., Dataless Knowledge Fusion by Merging Weights of Language Models, arXiv 2212.09849):
/// of a linear map the weights whose outputs are nearest to those of each side on that side's own inputs,
/// W = (Σ Gᵢ)⁻¹ Σ Gᵢ Wᵢ, with G = Σ x xᵀ, of which the elements off the diagonal are multiplied by 0.9.
///
/// G comes from the Gram sums that a side's evidence holds of the states in front of the layer's experts, or from
/// its routes, so it is exact. Each output is solved on its own, so a row of W may be merged alone. That serves the
/// query of a product-key router and the rows of a linear one, whose inputs those states are; what is in conflict besides is merged as the
/// paper does it, by ``MeanPolicy``. A row stays in conflict when one of its sides has no Gram sums of its own.
///
/// Commutative. As real numbers also associative, since Gram sums add and a merge unites them, and
/// idempotent; each merge rounds to the stored type, so the bits are not.
package struct RegMeanPolicy: ConflictPolicy {
    /// Σ φ φᵀ of one layer, as a side's evidence has it.
    package struct Inputs: Sendable {
        /// φ = x · scales.
        package let scales: [Float]
        /// The lower triangle, row by row.
        package let gram: [Int64]

        package init(scales: [Float], gram: [Int64]) {
            self.scales = scales
            self.gram = gram
        }
    }

    /// The paper's α.
    static let share = 0.9

    package let name = "regmean"
    private let mean: MeanPolicy
    /// By side, then layer.
    private let inputs: [[UInt32: Inputs]]
    private let systems = Systems()

    /// - Parameters:
    ///   - weights: Of the mean, one per side.
    ///   - inputs: By layer, one table per side.
    package init(weights: [Double], inputs: [[UInt32: Inputs]]) {
        mean = MeanPolicy(weights: weights)
        self.inputs = inputs
    }

    /// The layer of an entity whose inputs evidence knows.
    ///
    /// - Returns: Its layer, and whether a linear router's row; then the evidence is of routes, else of Gram sums.
    static func layer(of entity: MergeEntity) -> (number: UInt32, isLinear: Bool)? {
        // Evidence is of what the base's routers read; an adapter's router reads its own states.
        guard case .routerRow(let layer, let pool, let tensor, _) = entity, pool == ExpertPool.base
        else { return nil }
        if tensor.hasSuffix("." + PeerNames.query) { return (layer, false) }
        return ExpertNames.routersInLayer.contains { tensor.hasSuffix("." + $0) }
            ? (layer, true) : nil
    }

    package func resolve(
        _ entity: MergeEntity, parts: [TensorShape], base: [UInt8]?, values: [ConflictValue]
    ) -> ConflictValue? {
        guard let layer = Self.layer(of: entity)?.number else {
            return mean.resolve(entity, parts: parts, base: base, values: values)
        }
        // Of equal rows any order gives the same terms, but for which inputs they come with.
        let ranked = ConflictSides(values, parts) { side in
            (inputs[side.index][layer]?.gram ?? []).map(Double.init)
        }
        guard let sides = ranked, let system = system(layer, sides.sides.map(\.index)),
            system.width == sides.count
        else { return nil }
        var terms = [Double](repeating: 0, count: system.width)
        for (side, gram) in zip(sides.sides, system.grams) {
            let scaled = (0..<system.width).map { side.values[$0] / system.scales[$0] }
            for row in 0..<system.width {
                var sum = 0.0
                for column in 0..<system.width {
                    let (low, high) = (min(row, column), max(row, column))
                    sum += gram[high * (high + 1) / 2 + low] * scaled[column]
                }
                terms[row] += sum
            }
        }
        system.factor.solve(&terms, count: 1)
        return sides.made((0..<system.width).map { terms[$0] * system.scales[$0] })
    }

    /// The factored sum of some sides' products; nil when one has none, or they are not of one quantiser.
    private func system(_ layer: UInt32, _ sides: [Int]) -> System? {
        systems.known.withLock { known in
            let key = Systems.Key(layer: layer, sides: sides)
            if let found = known[key] { return found }
            let found = System(sides.map { inputs[$0][layer] })
            known[key] = found
            return found
        }
    }
}

/// What was factored, since many rows have the same sides.
private final class Systems: Sendable {
    struct Key: Hashable {
        let layer: UInt32
        let sides: [Int]
    }

    let known = Mutex<[Key: System?]>([:])
}

/// The normal equations of some sides.
private struct System: Sendable {
    let scales: [Double]
    /// Of each side the lower triangle, off the diagonal times 0.9.
    let grams: [[Double]]
    let factor: Cholesky
    var width: Int { scales.count }

    init?(_ sides: [RegMeanPolicy.Inputs?]) {
        let found = sides.compactMap { $0 }
        guard let first = found.first, found.count == sides.count,
            found.allSatisfy({ $0.scales == first.scales && $0.gram.count == first.gram.count })
        else { return nil }
        let width = first.scales.count
        var grams: [[Double]] = []
        var sum = [Double](repeating: 0, count: first.gram.count)
        for side in found {
            var gram = side.gram.map { RegMeanPolicy.share * Double($0) }
            for row in 0..<width {
                let place = row * (row + 1) / 2 + row
                gram[place] = Double(side.gram[place])
            }
            for index in sum.indices { sum[index] += gram[index] }
            grams.append(gram)
        }
        var trace = 0.0
        for row in 0..<width { trace += sum[row * (row + 1) / 2 + row] }
        // A feature that is 0 in all texts would leave the sum singular.
        let ridge = max(trace / Double(width), 1) * 1e-9
        guard
            let factor = try? Cholesky(
                size: width,
                lower: { lower in
                    var position = 0
                    for row in 0..<width {
                        for column in 0...row {
                            lower[row * width + column] = sum[position]
                            position += 1
                        }
                        lower[row * width + row] += ridge
                    }
                })
        else { return nil }
        scales = first.scales.map(Double.init)
        self.grams = grams
        self.factor = factor
    }
}
