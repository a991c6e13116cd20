internal import Elements
internal import Tensors

/// A tree router in closed form.
///
/// The evidence is ``DigitGramSums`` with a table for each level, whose classes are the nodes that the level's
/// children are: of level l the number of the first l + 1 digits of a leaf. All nodes share one Σ φφᵀ, so a
/// node's children are told apart by the read-outs of what reached them against everything else, and sums
/// of texts add up as those of product keys do: merging is exact.
extension DigitGramSums {
    /// Nothing seen yet of a tree's leaves.
    package init(width: Int, branching: [Int]) {
        self.init(width: width, digits: branching.count)
    }

    /// Adds leaves.
    ///
    /// - Parameters:
    ///   - features: [tokens, `width`].
    ///   - leaves: [tokens, `perToken`], each below the product of `branching`.
    ///   - branching: Children of a node, by level; as many levels as this has tables.
    /// - Throws: ``CambiumError`` for a leaf that the tree does not have, and with code overflow; then the
    ///   value is of no use.
    package mutating func add(
        _ features: Span<Int16>, leaves: [UInt32], branching: [Int], perToken: Int = 1
    ) throws {
        precondition(branching.count == digits.count, "\(branching) for \(digits.count) levels")
        let count = branching.reduce(1, *)
        if let leaf = leaves.first(where: { Int($0) >= count }) {
            throw CambiumError(.badInput, "leaf \(leaf) of a tree with \(count)")
        }
        var below = count
        let labels = branching.map { children in
            below /= children
            return leaves.map { $0 / UInt32(below) }
        }
        try add(features, labels: labels, perToken: perToken)
    }
}

extension DigitGramSums {
    /// The sums of each level of a tree, from those of its leaves.
    ///
    /// - Parameter digit: The table whose classes are leaves.
    package func levels(of digit: Int, branching: [Int]) throws -> DigitGramSums {
        var below = branching.reduce(1, *)
        var levels: [ClassSums] = []
        for children in branching {
            below /= children
            levels.append(try digits[digit].grouped(by: UInt32(below)))
        }
        return try DigitGramSums(digits: levels, gram: gram)
    }
}

/// Read-outs of a tree's levels over activations, as a router keeps them.
package struct TreeReadOuts: Sendable, Equatable {
    /// Children of a node, by level.
    package let branching: [Int]
    package let width: Int
    /// Of each level [nodes, width].
    package let keys: [[Float]]
    /// Of each level one for each key.
    package let biases: [[Float]]

    /// - Parameters:
    ///   - readOuts: Of each level, over quantised features; classes are nodes as ``DigitGramSums`` has them. Nodes
    ///     without evidence are never picked before one that has some.
    ///   - scales: What multiplies activations before they are rounded; the keys are multiplied by them, so
    ///     that a router reads activations.
    ///   - sharpness: Multiplies the scores.
    package init(
        _ readOuts: [ReadOut], branching: [Int], scales: [Float], sharpness: Float = 1
    ) {
        var nodes = 1
        var (keys, biases): ([[Float]], [[Float]]) = ([], [])
        for (readOut, children) in zip(readOuts, branching) {
            nodes *= children
            let dense = readOut.dense(count: nodes, scales: scales, sharpness: sharpness)
            keys.append(dense.weights)
            biases.append(dense.biases)
        }
        self.branching = branching
        width = scales.count
        self.keys = keys
        self.biases = biases
    }
}

extension TreeRouter {
    /// The router that read-outs of a tree's levels are.
    ///
    /// - Parameters:
    ///   - beam: Paths that go on.
    ///   - topK: As of the other initialiser.
    package init(_ readOuts: TreeReadOuts, beam: Int, topK: Int) {
        self.init(
            keys: zip(readOuts.keys, readOuts.biases).map { keys, biases in
                Matrix(rows: biases.count, columns: readOuts.width, values: keys)
            }, biases: readOuts.biases, branching: readOuts.branching, beam: beam, topK: topK)
    }
}
