internal import Elements
internal import Tensors

/// The integer sufficient statistics that the router row of a further expert is solved from.
///
/// A token is φ, what the router reads as integers, and its *entry*: the score above which a further expert
/// would be picked. Kept is Σ ψψᵀ of ψ = [φ, one, entry], which holds the sums of φφᵀ, φ, φ · entry and
/// entry²; in Int64 and checked, so that addition is exact.
package struct EntryGramSums: Sendable, Equatable {
    /// The constant among the features, about as large as they are.
    package static let one: Int16 = 128
    /// Entries are in units of 1 / 256; they are limited to what 16 bits hold, ±127.99.
    package static let unit: Float = 256

    /// Features of a token.
    package let width: Int
    /// Tokens.
    package private(set) var count: Int64 = 0
    /// [n (n + 1) / 2] for n = `width` + 2: the lower triangle, row by row.
    package private(set) var gram: [Int64]

    /// Nothing seen yet.
    package init(width: Int) {
        precondition(width > 0, "\(width) features")
        self.width = width
        gram = [Int64](repeating: 0, count: (width + 2) * (width + 3) / 2)
    }

    /// What was stored.
    ///
    /// - Throws: `.badInput` when lengths or sums are not what so many tokens can have.
    package init(width: Int, count: Int64, gram: [Int64]) throws {
        guard (1...1 << 16).contains(width), (1..<ClassSums.limit).contains(count) else {
            throw CambiumError(
                .badInput, "sums of \(count) tokens of \(width) features are not valid")
        }
        try checkGram(gram, width: width + 2, vectors: count)
        self.width = width
        self.count = count
        self.gram = gram
        let one = Double(Self.one)
        guard sum(width, width) == Double(count) * one * one else {
            throw CambiumError(
                .badInput, "the sums of the constant are not those of \(count) tokens")
        }
    }

    /// Adds tokens.
    ///
    /// - Parameters:
    ///   - features: [tokens, `width`].
    ///   - entries: [tokens], finite.
    /// - Throws: ``CambiumError`` with code overflow, and then the value is of no use.
    package mutating func add(_ features: [Int16], entries: [Float]) throws {
        precondition(
            features.count == entries.count * width, "\(features.count) for \(entries.count)")
        var rows: [Int16] = []
        rows.reserveCapacity(entries.count * (width + 2))
        for (token, entry) in entries.enumerated() {
            rows += features[token * width..<(token + 1) * width]
            rows.append(Self.one)
            rows.append(Self.quantised(entry))
        }
        count += Int64(entries.count)
        guard count < ClassSums.limit, IntegerGram.add(rows.span, width: width + 2, to: &gram)
        else {
            throw ClassSums.overflow
        }
    }

    /// Adds what another value saw.
    ///
    /// - Throws: ``CambiumError`` for another width, or an overflow; then the value is of no use.
    package mutating func add(_ other: EntryGramSums) throws {
        try checkWidths(width, other.width)
        count += other.count
        guard count < ClassSums.limit else { throw ClassSums.overflow }
        try addGram(other.gram, to: &gram)
    }

    /// An entry as an integer.
    static func quantised(_ entry: Float) -> Int16 {
        Int16(min(max((entry * unit).rounded(.toNearestOrEven), -32_767), 32_767))
    }

    /// Σ ψ[row] ψ[column]: `width` is the constant, `width` + 1 the entry.
    func sum(_ row: Int, _ column: Int) -> Double {
        let (low, high) = (min(row, column), max(row, column))
        return Double(gram[high * (high + 1) / 2 + low])
    }
}
