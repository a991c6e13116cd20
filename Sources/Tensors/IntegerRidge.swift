/// Ridge regression whose sums of products are exact, so that its bits depend neither on the order of what is
/// added, nor on threads, nor on the CPU.
///
/// Numbers become integers of 16 bits by a power of two; what that rounds off is far below the ridge. OpenBLAS
/// adds the integers up (``IntegerGram``), our own Cholesky solves.
package enum IntegerRidge {
    /// Rows that are held as integers at once.
    private static let block = 4_096

    /// Σ φ φᵀ of some rows.
    package struct Sums: Sendable {
        package let width: Int
        /// The lower triangle, row by row.
        package var products: [Int64]

        package init(width: Int) {
            self.width = width
            products = [Int64](repeating: 0, count: width * (width + 1) / 2)
        }

        package subscript(row: Int, column: Int) -> Double {
            let (low, high) = (min(row, column), max(row, column))
            return Double(products[high * (high + 1) / 2 + low])
        }

        /// The mean of the first elements of the diagonal.
        package func meanSquare(of count: Int) -> Double {
            (0..<count).reduce(0) { $0 + self[$1, $1] } / Double(count)
        }
    }

    /// The largest magnitude of some numbers.
    package struct Magnitude: Sendable {
        /// Infinite as soon as one number is not finite.
        package private(set) var largest = 0.0

        package init() {}

        package mutating func add(_ number: Double) {
            largest = number.isFinite ? max(largest, abs(number)) : .infinity
        }

        /// What makes integers of the numbers: a power of two; 1 for zeros.
        package var scale: Double {
            guard largest > 0, largest.isFinite else { return 1 }
            // The largest product lies in 2^14 ..< 2^15.
            return Double(
                sign: .plus, exponent: min(14 - Int(largest.exponent), 1_000), significand: 1)
        }
    }

    /// Adds rows.
    ///
    /// - Parameters:
    ///   - rows: How many.
    ///   - scales: Of each element of a row; see ``Magnitude``.
    ///   - fill: Sets a row, which is zeros before.
    /// - Returns: False when a sum leaves 64 bits.
    package static func add(
        rows: Int, scales: [Double], to sums: inout Sums, fill: (_ row: Int, inout [Double]) -> Void
    ) -> Bool {
        let width = sums.width
        var values = [Double](repeating: 0, count: width)
        var integers = [Int16](repeating: 0, count: min(rows, block) * width)
        for start in stride(from: 0, to: rows, by: block) {
            let count = min(block, rows - start)
            for row in 0..<count {
                for index in 0..<width { values[index] = 0 }
                fill(start + row, &values)
                for index in 0..<width {
                    let scaled = (values[index] * scales[index]).rounded(.toNearestOrEven)
                    integers[row * width + index] = Int16(min(max(scaled, -32_767), 32_767))
                }
            }
            guard
                IntegerGram.add(
                    integers.span.extracting(0..<count * width), width: width, to: &sums.products)
            else { return false }
        }
        return true
    }

    /// out += G W, of the first `size` rows and columns of the sums.
    ///
    /// - Parameters:
    ///   - weights: W, [size, columns].
    ///   - out: [size, columns].
    package static func addProduct(
        _ sums: Sums, size: Int, _ weights: [Double], columns: Int, to out: inout [Double],
        team: ThreadTeam
    ) {
        precondition(
            weights.count == size * columns && out.count == weights.count && size <= sums.width,
            "\(weights.count) weights for \(size) x \(columns)")
        unsafe out.withUnsafeMutableBufferPointer { out in
            unsafe weights.withUnsafeBufferPointer { weights in
                guard let one = out.baseAddress, let two = weights.baseAddress else { return }
                nonisolated(unsafe) let target = unsafe one
                nonisolated(unsafe) let source = unsafe two
                team.forEach(size) { row in
                    let line = unsafe target + row * columns
                    for column in 0..<size {
                        let factor = sums[row, column]
                        let other = unsafe source + column * columns
                        for index in 0..<columns { unsafe line[index] += factor * other[index] }
                    }
                }
            }
        }
    }

    /// Solves (G + λ I) W = B + λ W₀ for the first `size` rows and columns of the sums, λ being a share of the
    /// mean of the diagonal.
    ///
    /// - Parameters:
    ///   - terms: B, [size, columns].
    ///   - start: W₀, [size, columns].
    /// - Returns: W; W₀ where the sums are zeros.
    /// - Throws: ``Cholesky/NotPositive`` for numbers that are not finite.
    package static func solve(
        _ sums: Sums, size: Int, _ terms: [Double], columns: Int, towards start: [Double],
        share: Double, team: ThreadTeam
    ) throws(Cholesky.NotPositive) -> [Double] {
        precondition(
            terms.count == size * columns && start.count == terms.count,
            "\(terms.count) and \(start.count) elements for \(size) x \(columns)")
        let ridge = share * sums.meanSquare(of: size)
        guard ridge > 0 else { return start }
        let factor = try Cholesky(size: size, team: team) { lower in
            for row in 0..<size {
                for column in 0...row { lower[row * size + column] = sums[row, column] }
                lower[row * size + row] += ridge
            }
        }
        var sides = terms
        for index in sides.indices { sides[index] += ridge * start[index] }
        factor.solve(&sides, count: columns, team: team)
        return sides
    }
}
