package import Elements
internal import Evidence
package import Objects
package import Snapshots

/// The mean of the sides, each element weighted by how much its side's loss minds a change of it: the
/// diagonal of the Fisher information (Matena and Raffel, Merging Models with Fisher-Weighted Averaging,
/// arXiv 2111.09832), x = Σ wᵢ Fᵢ xᵢ / Σ wᵢ Fᵢ, from the squared gradients that a round recorded.
///
/// Where no side has a gradient, an element is the weighted mean. A conflict in which one of the sides
/// recorded none stands. Commutative, and idempotent but for rounding; not associative, since a merged
/// value has no gradients of its own.
package struct FisherPolicy: ConflictPolicy {
    package let name = "fisher"
    private let weights: [Double]
    private let trees: [Tree]
    /// Of each side, by the id of the object that they are of, all parts one after the other.
    private let gradients: [[ObjectID: [Float]]]

    /// - Parameters:
    ///   - weights: One per side.
    ///   - trees: One per side.
    ///   - gradients: Squared, for each side what it recorded itself: two sides with one value may mind
    ///     changes of it differently.
    package init(weights: [Double], trees: [Tree], gradients: [[ObjectID: [Float]]]) {
        self.weights = weights
        self.trees = trees
        self.gradients = gradients
    }

    package func resolve(
        _ entity: MergeEntity, parts: [TensorShape], base: [UInt8]?, values: [ConflictValue]
    ) -> ConflictValue? {
        if case .file(let name) = entity, name.hasPrefix(FisherFile.prefix) {
            return FisherFile.sum(values, name)
        }
        // Of equal bytes and weights what was recorded decides, so that sums run in one order.
        let found = ConflictSides(values, parts) { side in
            [weights[side.index]] + (information(entity, side, parts) ?? []).map(Double.init)
        }
        guard let sides = found else { return nil }
        var fisher: [[Float]] = []
        for side in sides.sides {
            guard let found = information(entity, side, parts), found.count == sides.count else {
                return nil
            }
            fisher.append(found)
        }
        return sides.made(
            (0..<sides.count).map { element in
                var (sum, total, plain, all) = (0.0, 0.0, 0.0, 0.0)
                for (side, information) in zip(sides.sides, fisher) {
                    let weight = weights[side.index]
                    let share = weight * Double(information[element])
                    sum += share * side.values[element]
                    total += share
                    plain += weight * side.values[element]
                    all += weight
                }
                return total > 0 ? sum / total : plain / all
            })
    }

    /// What a side recorded of an entity.
    private func information(
        _ entity: MergeEntity, _ side: ConflictSides.Side, _ parts: [TensorShape]
    ) -> [Float]? {
        let tree = trees[side.index]
        switch entity {
        case .expert(let layer, let pool, _):
            guard let kind = tree.layers[layer]?.pools[pool]?.kind,
                let header = try? ObjectHeader(kind, parts)
            else { return nil }
            return gradients[side.index][header.id(of: side.bytes.raw)]
        case .trunk(let name):
            return tree.trunk.tensors[name].flatMap { gradients[side.index][$0.id] }
        case .router(let layer, let pool, let tensor):
            return tree.layers[layer]?.pools[pool]?.router[tensor]
                .flatMap { gradients[side.index][$0.id] }
        case .routerRow(let layer, let pool, let tensor, let row):
            guard let stored = tree.layers[layer]?.pools[pool]?.router[tensor],
                let all = gradients[side.index][stored.id]
            else { return nil }
            let width = side.values.count
            guard (row + 1) * width <= all.count else { return nil }
            return Array(all[row * width..<(row + 1) * width])
        case .architecture, .layout, .file, .pool: return nil
        }
    }
}
