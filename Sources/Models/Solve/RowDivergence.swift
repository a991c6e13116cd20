internal import Elements
internal import Tensors

/// Router rows whose shares are nearest to given ones: the least Σ w KL(p ‖ softmax(W x + b)) over some tokens.
///
/// Unlike a regression of scores it takes a share of nothing for what it is, however low the score. Steps of Newton's kind
/// with one matrix for all, C = ½ G + λ I with G = Σ w x xᵀ, of which ½ G bounds the curvature of a softmax (Böhning 1992),
/// sped up by Nesterov's momentum (1983); how many is fixed. G is a sum of integers, products run in fixed order, and
/// gradients of a block of tokens are added up in doubles in the order of the blocks: the same bits for every number of
/// threads and CPU.
struct RowDivergence {
    /// Tokens of one source.
    struct Tokens {
        /// [tokens, width].
        let inputs: [Float]
        /// [tokens, rows]: shares that add up to 1.
        let shares: [Float]
        /// The square root of what one token counts.
        let root: Double
    }

    static let steps = 30
    /// λ as a share of the mean square of the features.
    static let ridge = 1e-6
    private static let block = 512

    /// Some tokens, one after the other.
    private struct Block {
        let source: Int
        let first: Int
        let count: Int
        /// [size, count].
        let turned: PackedMatrix
    }

    private let width: Int
    private let size: Int
    private let rows: Int
    private let tokens: [Tokens]
    private let blocks: [Block]
    private let team: ThreadTeam

    /// - Parameters:
    ///   - tokens: Of the sources, in an order of their content.
    ///   - rows: How many.
    ///   - hasBias: Whether each row has a bias, as one more element.
    init(_ tokens: [Tokens], width: Int, rows: Int, hasBias: Bool, team: ThreadTeam) {
        self.width = width
        self.rows = rows
        self.tokens = tokens
        self.team = team
        let size = hasBias ? width + 1 : width
        self.size = size
        var blocks: [Block] = []
        for (source, own) in tokens.enumerated() {
            let all = own.inputs.count / width
            for first in stride(from: 0, to: all, by: Self.block) {
                let count = min(Self.block, all - first)
                var turned = [Float](repeating: 1, count: size * count)
                for token in 0..<count {
                    for element in 0..<width {
                        turned[element * count + token] =
                            own.inputs[(first + token) * width + element]
                    }
                }
                blocks.append(
                    Block(
                        source: source, first: first, count: count,
                        turned: PackedMatrix(Matrix(rows: size, columns: count, values: turned))))
            }
        }
        self.blocks = blocks
    }

    /// - Parameter start: [rows, size].
    /// - Returns: [rows, size]; nil for numbers that are not finite, or sums that leave 64 bits.
    func solve(from start: [Double]) -> [Double]? {
        guard let curvature else { return nil }
        var (point, ahead) = (start, start)
        for step in 0..<Self.steps {
            // [size, rows].
            var move = [Double](repeating: 0, count: size * rows)
            let gradient = gradient(at: ahead)
            for row in 0..<rows {
                for element in 0..<size {
                    move[element * rows + row] = gradient[row * size + element]
                }
            }
            curvature.factor.solve(&move, count: rows, team: team)
            let pace = Double(step) / Double(step + 3)
            for row in 0..<rows {
                for element in 0..<size {
                    let place = row * size + element
                    let next = ahead[place] - move[element * rows + row] * curvature.scale
                    ahead[place] = next + pace * (next - point[place])
                    point[place] = next
                }
            }
        }
        return point.allSatisfy(\.isFinite) ? point : nil
    }

    /// C by its factor, and what its solution is to be multiplied with.
    private var curvature: (factor: Cholesky, scale: Double)? {
        var largest = IntegerRidge.Magnitude()
        for own in tokens {
            for element in own.inputs { largest.add(own.root * Double(element)) }
            if size > width { largest.add(own.root) }
        }
        guard largest.largest.isFinite else { return nil }
        var sums = IntegerRidge.Sums(width: size)
        for own in tokens {
            let fits = IntegerRidge.add(
                rows: own.inputs.count / width,
                scales: [Double](repeating: largest.scale, count: size), to: &sums
            ) { token, values in
                for element in 0..<width {
                    values[element] = own.root * Double(own.inputs[token * width + element])
                }
                if size > width { values[width] = own.root }
            }
            guard fits else { return nil }
        }
        let ridge = Self.ridge * sums.meanSquare(of: size)
        let factor = try? Cholesky(size: size, team: team) { lower in
            for row in 0..<size {
                for column in 0...row { lower[row * size + column] = sums[row, column] / 2 }
                lower[row * size + row] += ridge
            }
        }
        return factor.map { ($0, largest.scale * largest.scale) }
    }

    /// [rows, size].
    private func gradient(at point: [Double]) -> [Double] {
        var weights = [Float](repeating: 0, count: rows * width)
        for row in 0..<rows {
            for element in 0..<width {
                weights[row * width + element] = Float(point[row * size + element])
            }
        }
        let matrix = PackedMatrix(Matrix(rows: rows, columns: width, values: weights))
        var sum = [Double](repeating: 0, count: rows * size)
        for block in blocks {
            let own = tokens[block.source]
            var shares = [Float](repeating: 0, count: block.count * rows)
            do {
                var span = shares.mutableSpan
                let first = block.first * width
                matrix.multiply(
                    own.inputs.span.extracting(first..<first + block.count * width),
                    tokens: block.count, into: &span, team: team)
                if size > width {
                    for index in span.indices {
                        span[index] += Float(point[index % rows * size + width])
                    }
                }
                Kernels.softmax(&span, width: rows)
            }
            // [rows, tokens].
            var rest = [Float](repeating: 0, count: rows * block.count)
            let weight = Float(own.root * own.root)
            for token in 0..<block.count {
                for row in 0..<rows {
                    let goal = own.shares[(block.first + token) * rows + row]
                    rest[row * block.count + token] =
                        weight * (shares[token * rows + row] - goal)
                }
            }
            var part = [Float](repeating: 0, count: rows * size)
            var span = part.mutableSpan
            block.turned.multiply(rest.span, tokens: rows, into: &span, team: team)
            for index in part.indices { sum[index] += Double(part[index]) }
        }
        return sum
    }
}
