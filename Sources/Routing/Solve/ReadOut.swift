internal import Elements
package import Tensors

/// A linear router solved in closed form from Gram sums: score(c | φ) = w_c · φ + b_c.
///
/// Both forms are functions of the sums alone, computed in doubles in one fixed order, so that
/// equal evidence gives equal bytes on every CPU and with every number of threads.
package struct ReadOut: Sendable, Equatable {
    /// How it is solved.
    package enum Form: String, Sendable, CaseIterable {
        /// Least squares on one-hot targets: (Σ φφᵀ + λ I) W = Σ φ onehot(y)ᵀ, after the means of
        /// features and targets were taken out (Hoerl and Kennard, Ridge Regression, 1970).
        case ridge
        /// The discriminant of Gaussians with one covariance S, the maximum-likelihood router for
        /// such features (Fisher, 1936): w_c = (S + λ I)⁻¹ μ_c, b_c = -½ μ_c · w_c + ln π_c.
        case discriminant

        /// What the scores of a router are multiplied by, whose softmax weighs experts.
        ///
        /// Shares of a unit are too alike as they are, likelihoods of many features too sure. A power of two, so that
        /// nothing is rounded.
        package var sharpness: Float { self == .ridge ? 4 : 0.25 }
    }

    /// The ids of the classes, ascending.
    package let classes: [UInt32]
    /// [classes, width].
    package let weights: [Float]
    /// [classes].
    package let biases: [Float]

    /// Solves a read-out.
    ///
    /// - Parameters:
    ///   - lambda: λ, as a share of the mean of the diagonal of the matrix to which it is added; so
    ///     it means the same for features of any scale. A matrix that is still not positive
    ///     definite is tried again with ten times the share, at most eight times.
    /// - Throws: ``CambiumError`` without classes, or when no attempt gives a solution.
    /// - Complexity: width³ / 3 + width² · classes multiplications.
    package init(
        _ form: Form, of gramSums: GramSums, lambda: Double, team: ThreadTeam = .single
    ) throws {
        precondition(lambda > 0 && lambda.isFinite, "a ridge of \(lambda)")
        guard !gramSums.classes.isEmpty else {
            throw CambiumError(
                .unsolvable, "there is no evidence to solve a router from; add some first")
        }
        let (d, n) = (gramSums.width, Double(gramSums.count))
        let mean = Self.total(gramSums).map { Double($0) / n }
        let cholesky = try Self.factored(form, gramSums, lambda, team)
        let count = gramSums.classes.count
        // The right-hand sides are what each class adds beyond the mean of all.
        var sides = [Double](repeating: 0, count: d * count)
        for (index, entry) in gramSums.classes.enumerated() {
            let size = Double(entry.count)
            for row in 0..<d {
                let centred = Double(entry.sum[row]) - size * mean[row]
                sides[row * count + index] = form == .ridge ? centred : centred / size
            }
        }
        let targets = sides
        cholesky.solve(&sides, count: count, team: team)
        var weights = [Float](repeating: 0, count: count * d)
        var biases: [Float] = []
        for (index, entry) in gramSums.classes.enumerated() {
            var (atMean, atTarget) = (0.0, 0.0)
            for row in 0..<d {
                let weight = sides[row * count + index]
                atMean += weight * mean[row]
                atTarget += weight * targets[row * count + index]
                weights[index * d + row] = Float(weight)
            }
            let share = Double(entry.count) / n
            switch form {
            case .ridge: biases.append(Float(share - atMean))
            case .discriminant:
                let prior =
                    Double(
                        FixedPoint.log2(UInt64(entry.count))
                            - FixedPoint.log2(UInt64(gramSums.count))) / 65_536
                    * 0.693147180559945309417
                biases.append(Float(prior - 0.5 * atTarget - atMean))
            }
        }
        self.classes = gramSums.classes.map(\.id)
        self.weights = weights
        self.biases = biases
    }

    /// The read-out as a matrix over activations, with a row for each of `count` classes.
    ///
    /// - Parameters:
    ///   - count: More than any class.
    ///   - scales: [width], what multiplies activations before they are rounded; the weights are multiplied by
    ///     them.
    ///   - sharpness: Multiplies weights and biases.
    /// - Returns: [count, width] and [count]; classes without evidence have weights of 0 and a bias low enough
    ///   that no sum with it is picked, and far from leaving the floats when several are added.
    func dense(
        count: Int, scales: [Float], sharpness: Float = 1
    ) -> (weights: [Float], biases: [Float]) {
        let width = scales.count
        precondition(
            self.weights.count == classes.count * width && classes.allSatisfy { $0 < count },
            "a read-out of \(classes.count) classes for \(count) rows of \(width)")
        var weights = [Float](repeating: 0, count: count * width)
        var biases = [Float](repeating: -Float.greatestFiniteMagnitude / 64, count: count)
        for (index, id) in classes.enumerated() {
            biases[Int(id)] = self.biases[index] * sharpness
            for feature in 0..<width {
                weights[Int(id) * width + feature] =
                    self.weights[index * width + feature] * scales[feature] * sharpness
            }
        }
        return (weights, biases)
    }

    /// The canonical bytes of a read-out whose class i is `names[i]`: the same evidence, the same bytes.
    package func encoded(names: [String], _ form: String) -> [UInt8] {
        var bytes = Array("CROC".utf8) + [1]
        for name in [form] + names { appendName(name, to: &bytes) }
        bytes += weights.littleEndianBytes
        bytes += biases.littleEndianBytes
        return bytes
    }

    /// The class with the highest score, the lower id of equal ones.
    ///
    /// - Parameter features: [width].
    package func best(_ features: Span<Int16>) -> UInt32 {
        let width = features.count
        precondition(weights.count == classes.count * width, "\(width) features")
        var best = (score: -Float.infinity, id: classes[0])
        for (index, id) in classes.enumerated() {
            var score = biases[index]
            for feature in 0..<width {
                score += weights[index * width + feature] * Float(features[feature])
            }
            if score > best.score { best = (score, id) }
        }
        return best.id
    }

    /// The factored matrix to invert, λ added.
    static func factored(
        _ form: Form, _ gramSums: GramSums, _ lambda: Double, _ team: ThreadTeam
    ) throws -> Cholesky {
        let (d, n) = (gramSums.width, Double(gramSums.count))
        let scatter = scatter(form, gramSums, total(gramSums).map { Double($0) / n })
        var trace = 0.0
        for row in 0..<d { trace += scatter[row * (row + 1) / 2 + row] }
        guard trace > 0, trace.isFinite else {
            throw CambiumError(
                .unsolvable, "all \(gramSums.count) feature vectors of the evidence are alike")
        }
        return try factor(scatter, d, trace / Double(d), lambda, team)
    }

    static func total(_ gramSums: GramSums) -> [Int64] {
        var total = [Int64](repeating: 0, count: gramSums.width)
        for entry in gramSums.classes {
            for row in total.indices { total[row] += entry.sum[row] }
        }
        return total
    }

    /// The matrix to invert, its lower triangle: about the mean of all, or, divided by the number of
    /// vectors, about the mean of each class.
    private static func scatter(_ form: Form, _ gramSums: GramSums, _ mean: [Double]) -> [Double] {
        let (d, n) = (gramSums.width, Double(gramSums.count))
        // What is taken out: n times the product of the mean with itself, or the same of each class.
        var parts: [(size: Double, mean: [Double])] = [(n, mean)]
        if form == .discriminant {
            parts = gramSums.classes.map { entry in
                let size = Double(entry.count)
                return (size, entry.sum.map { Double($0) / size })
            }
        }
        var scatter = gramSums.gram.map(Double.init)
        for (size, mean) in parts {
            var start = 0
            for row in 0..<d {
                let factor = size * mean[row]
                for column in 0...row { scatter[start + column] -= factor * mean[column] }
                start += row + 1
            }
        }
        if form == .discriminant {
            for index in scatter.indices { scatter[index] /= n }
        }
        return scatter
    }

    private static func factor(
        _ scatter: [Double], _ d: Int, _ diagonal: Double, _ lambda: Double, _ team: ThreadTeam
    ) throws -> Cholesky {
        var ridge = lambda * diagonal
        for _ in 0..<8 {
            do {
                return try Cholesky(size: d, team: team) { lower in
                    var position = 0
                    for row in 0..<d {
                        for column in 0...row {
                            lower[row * d + column] = scatter[position]
                            position += 1
                        }
                        lower[row * d + row] += ridge
                    }
                }
            } catch {
                ridge *= 10
            }
        }
        throw CambiumError(
            .unsolvable, "the evidence has no solution even with a ridge of \(ridge / 10)")
    }
}
