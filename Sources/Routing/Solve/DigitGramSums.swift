internal import Elements
internal import Tensors

/// Gram sums of vectors that belong to a class in each of several tables, over one shared Σ φφᵀ.
///
/// The tables are the digits of a product key, expert = first · m + second: 2 √N classes stand for N
/// experts. A vector may count for several experts, then it counts as often in Σ φφᵀ. With one table and
/// one label a vector it is what ``GramSums`` are.
package struct DigitGramSums: Sendable, Equatable {
    /// One for each digit, all of one count.
    package private(set) var digits: [ClassSums]
    /// [d (d + 1) / 2]: the lower triangle of Σ φφᵀ, row by row.
    package private(set) var gram: [Int64]

    /// Nothing seen yet.
    package init(width: Int, digits: Int) {
        precondition(digits > 0, "\(digits) digits")
        self.digits = [ClassSums](repeating: ClassSums(width: width), count: digits)
        gram = [Int64](repeating: 0, count: width * (width + 1) / 2)
    }

    /// What was stored.
    ///
    /// - Throws: ``CambiumError`` without digits, or when counts, totals or lengths cannot be.
    package init(digits: [ClassSums], gram: [Int64]) throws {
        guard let first = digits.first,
            digits.allSatisfy({ $0.width == first.width && $0.count == first.count })
        else {
            throw CambiumError(
                .badInput, "\(digits.count) digits that did not count the same vectors")
        }
        try checkGram(gram, width: first.width, vectors: first.count)
        self.digits = digits
        self.gram = gram
    }

    /// d.
    package var width: Int { digits[0].width }
    /// Vectors, each as often as it has labels.
    package var count: Int64 { digits[0].count }

    /// Adds labelled vectors.
    ///
    /// - Parameters:
    ///   - features: [tokens, `width`], magnitudes at most `IntegerGram.largestFeature`.
    ///   - labels: For each digit [tokens, `perToken`].
    /// - Throws: ``CambiumError`` with code overflow, and then the value is of no use.
    package mutating func add(
        _ features: Span<Int16>, labels: [[UInt32]], perToken: Int = 1
    ) throws {
        precondition(labels.count == digits.count, "\(labels.count) of \(digits.count) digits")
        for digit in digits.indices {
            try digits[digit].add(features, labels: labels[digit], perToken: perToken)
        }
        guard perToken > 1 else {
            guard IntegerGram.add(features, width: width, to: &gram) else {
                throw ClassSums.overflow
            }
            return
        }
        var once = [Int64](repeating: 0, count: gram.count)
        guard IntegerGram.add(features, width: width, to: &once) else { throw ClassSums.overflow }
        for index in once.indices {
            let (product, overflow) = once[index].multipliedReportingOverflow(by: Int64(perToken))
            guard !overflow else { throw ClassSums.overflow }
            once[index] = product
        }
        try addGram(once, to: &gram)
    }

    /// Adds experts by their digits: high = expert / `second`, low = expert % `second`.
    ///
    /// - Parameters:
    ///   - experts: [tokens, `perToken`].
    ///   - second: Values of the low digit.
    package mutating func add(
        _ features: Span<Int16>, experts: [UInt32], second: UInt32, perToken: Int = 1
    ) throws {
        precondition(second > 0, "\(second) values of the low digit")
        try add(
            features, labels: [experts.map { $0 / second }, experts.map { $0 % second }],
            perToken: perToken)
    }

    /// Adds what another contribution saw.
    ///
    /// - Throws: ``CambiumError`` for another width or number of digits, or an overflow; then the value
    ///   is of no use.
    package mutating func add(_ other: DigitGramSums) throws {
        try checkWidths(width, other.width)
        guard digits.count == other.digits.count else {
            throw CambiumError(
                .incompatible,
                "Gram sums of \(digits.count) and of \(other.digits.count) digits cannot be added")
        }
        for digit in digits.indices { try digits[digit].add(other.digits[digit]) }
        try addGram(other.gram, to: &gram)
    }

    /// The Gram sums of one digit.
    package func gramSums(_ digit: Int) throws -> GramSums {
        try GramSums(digits[digit], gram)
    }

    /// The same vectors with all their digits in one class.
    func renamed(_ id: UInt32) throws -> DigitGramSums {
        var result = self
        for digit in digits.indices { result.digits[digit] = try digits[digit].renamed(id) }
        return result
    }
}
