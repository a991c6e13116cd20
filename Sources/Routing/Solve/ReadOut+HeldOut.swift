package import Tensors

/// λ by held-out evidence.
extension ReadOut {
    /// The λ that are tried, the greatest first.
    package static let lambdas = [1, 0.3, 0.1, 0.03, 0.01, 3e-3, 1e-3, 3e-4, 1e-4]
    /// What is taken when nothing is held out.
    package static let defaultLambda = 0.01

    /// The λ with the least loss on held-out Gram sums, the greatest of equal ones.
    ///
    /// The loss follows from sums alone, so λ is a function of the evidence: of ridge, the squared error
    /// of the scores against one-hot targets; of the discriminant, minus the log-likelihood of the
    /// vectors under its Gaussians. ``defaultLambda`` when nothing is held out or the rest cannot be
    /// solved.
    ///
    /// - Complexity: For each λ a solution, and width² · classes multiplications (ridge) or width³.
    package static func lambda(
        _ form: Form, fitted: GramSums, heldOut: GramSums, team: ThreadTeam = .single
    ) throws -> Double {
        try chosen(form, fitted, heldOut, team).lambda
    }

    /// ``lambda(_:fitted:heldOut:team:)``, and its loss; nil when none could be computed.
    static func chosen(
        _ form: Form, _ fitted: GramSums, _ heldOut: GramSums, _ team: ThreadTeam
    ) throws -> (lambda: Double, loss: Double?) {
        try checkWidths(fitted.width, heldOut.width)
        guard heldOut.count > 0, fitted.count > 0 else { return (defaultLambda, nil) }
        var best: (loss: Double, lambda: Double)?
        for lambda in lambdas {
            let loss: Double
            switch form {
            case .ridge:
                guard
                    let readOut = try? ReadOut(.ridge, of: fitted, lambda: lambda, team: team)
                else { return (defaultLambda, nil) }
                loss = readOut.squaredError(on: heldOut)
            case .discriminant:
                guard
                    let found = minusLogLikelihood(of: heldOut, fitted, lambda: lambda, team)
                else { return (defaultLambda, nil) }
                loss = found
            }
            if loss < best?.loss ?? .infinity { best = (loss, lambda) }
        }
        return (best?.lambda ?? defaultLambda, best?.loss)
    }

    /// Σ over vectors and classes of (w · φ + b - target)², but for the squares of the targets, which no
    /// read-out changes.
    func squaredError(on gramSums: GramSums) -> Double {
        let d = gramSums.width
        let all = Self.total(gramSums).map(Double.init)
        let n = Double(gramSums.count)
        let known = Dictionary(uniqueKeysWithValues: gramSums.classes.map { ($0.id, $0) })
        let gram = gramSums.gram.map(Double.init)
        var error = 0.0
        for (index, id) in classes.enumerated() {
            let w = (0..<d).map { Double(weights[index * d + $0]) }
            let b = Double(biases[index])
            // wᵀ G w from the lower triangle.
            var (square, start) = (0.0, 0)
            for row in 0..<d {
                var sum = 0.0
                for column in 0..<row { sum += gram[start + column] * w[column] }
                square += w[row] * (2 * sum + gram[start + row] * w[row])
                start += row + 1
            }
            var (mean, target) = (0.0, 0.0)
            for row in 0..<d { mean += w[row] * all[row] }
            if let entry = known[id] {
                for row in 0..<d { target += w[row] * Double(entry.sum[row]) }
                target += b * Double(entry.count)
            }
            error += square + 2 * b * mean + n * b * b - 2 * target
        }
        return error
    }

    /// The share of the squared error of always answering with the classes' frequencies that a ridge
    /// read-out of the fitted Gram sums is spared on the held-out ones: 1 is perfect, 0 has learned nothing,
    /// and below 0 is worse than the frequencies.
    ///
    /// - Parameter loss: Its ``squaredError(on:)``.
    /// - Returns: Nil when nothing is held out, or the frequencies make no error.
    static func explained(_ fitted: GramSums, _ heldOut: GramSums, loss: Double) -> Double? {
        guard heldOut.count > 0, fitted.count > 0 else { return nil }
        // The squares of the one-hot targets add up to the number of vectors.
        let n = Double(heldOut.count)
        let known = Dictionary(uniqueKeysWithValues: heldOut.classes.map { ($0.id, $0.count) })
        var constant = n
        for entry in fitted.classes {
            let share = Double(entry.count) / Double(fitted.count)
            constant += n * share * share - 2 * share * Double(known[entry.id] ?? 0)
        }
        guard constant > 0 else { return nil }
        return 1 - (loss + n) / constant
    }

    /// Twice minus the log-likelihood of held-out vectors, but for a constant; nil without a solution.
    ///
    /// n ln det S + Σ (φ - μ)ᵀ S⁻¹ (φ - μ), with S and the means μ of the fitted vectors.
    private static func minusLogLikelihood(
        of heldOut: GramSums, _ fitted: GramSums, lambda: Double, _ team: ThreadTeam
    ) -> Double? {
        let d = heldOut.width
        guard let covariance = try? factored(.discriminant, fitted, lambda, team) else {
            return nil
        }
        let known = Dictionary(uniqueKeysWithValues: fitted.classes.map { ($0.id, $0) })
        // The scatter of the held-out vectors about the fitted means, both triangles.
        var scatter = [Double](repeating: 0, count: d * d)
        var position = 0
        for row in 0..<d {
            for column in 0...row {
                scatter[row * d + column] = Double(heldOut.gram[position])
                scatter[column * d + row] = scatter[row * d + column]
                position += 1
            }
        }
        for entry in heldOut.classes {
            guard let seen = known[entry.id] else { return nil }
            let mean = seen.sum.map { Double($0) / Double(seen.count) }
            let sum = entry.sum.map(Double.init)
            for row in 0..<d {
                for column in 0..<d {
                    scatter[row * d + column] +=
                        Double(entry.count) * mean[row] * mean[column] - sum[row] * mean[column]
                        - mean[row] * sum[column]
                }
            }
        }
        covariance.solve(&scatter, count: d, team: team)
        var trace = 0.0
        for row in 0..<d { trace += scatter[row * d + row] }
        return Double(heldOut.count) * 2 * logarithm(ofProduct: covariance.diagonal) + trace
    }

    /// The natural logarithm of a product of positive numbers, without one of the system's library.
    private static func logarithm(ofProduct factors: [Double]) -> Double {
        var (significand, exponent) = (1.0, 0)
        for factor in factors {
            significand *= factor.significand
            exponent += Int(factor.exponent) + Int(significand.exponent)
            significand = significand.significand
        }
        let rest = FixedPoint.log2(UInt64(significand * 0x1p52)) - 52 * FixedPoint.one
        return (Double(exponent) + Double(rest) / 65_536) * 0.693147180559945309417
    }
}
