internal import Elements
internal import Tensors

/// The integer sufficient statistics of labelled feature vectors: from their sum over any division
/// of the data the same router is solved.
///
/// For features φ ∈ Z^d and classes y: how many vectors each class has, Σ φ per class, and Σ φφᵀ
/// over all. Int64 throughout and checked: addition is exact, so it commutes and associates.
package struct GramSums: Sendable, Equatable {
    package typealias Class = ClassSums.Class

    private(set) var sums: ClassSums
    /// [d (d + 1) / 2]: the lower triangle of Σ φφᵀ, row by row.
    package private(set) var gram: [Int64]

    /// Nothing seen yet.
    package init(width: Int) {
        sums = ClassSums(width: width)
        gram = [Int64](repeating: 0, count: width * (width + 1) / 2)
    }

    /// What was stored.
    ///
    /// - Throws: ``CambiumError`` when counts, totals, order or lengths cannot be.
    package init(width: Int, classes: [Class], gram: [Int64]) throws {
        try self.init(ClassSums(width: width, classes: classes), gram)
    }

    init(_ sums: ClassSums, _ gram: [Int64]) throws {
        try checkGram(gram, width: sums.width, vectors: sums.count)
        self.sums = sums
        self.gram = gram
    }

    /// d.
    package var width: Int { sums.width }
    /// By ascending id; only classes that have vectors.
    package var classes: [Class] { sums.classes }
    /// Vectors of all classes.
    package var count: Int64 { sums.count }

    /// Adds labelled vectors.
    ///
    /// - Parameters:
    ///   - features: [`labels.count`, `width`], magnitudes at most `IntegerGram.largestFeature`.
    ///   - labels: The class of each vector.
    /// - Throws: ``CambiumError`` with code overflow, and then the value is of no use.
    package mutating func add(_ features: Span<Int16>, labels: [UInt32]) throws {
        try sums.add(features, labels: labels)
        guard IntegerGram.add(features, width: width, to: &gram) else { throw ClassSums.overflow }
    }

    /// Adds what another contribution saw.
    ///
    /// - Throws: ``CambiumError`` for another width, or an overflow; then the value is of no use.
    package mutating func add(_ other: GramSums) throws {
        try checkWidths(width, other.width)
        try sums.add(other.sums)
        try addGram(other.gram, to: &gram)
    }
}

/// - Throws: `.incompatible` when they differ.
func checkWidths(_ left: Int, _ right: Int) throws {
    guard left == right else {
        throw CambiumError(
            .incompatible, "Gram sums of \(left) and of \(right) features cannot be added")
    }
}

/// A stored triangle of Σ φφᵀ: its length, and that no element is greater than so many vectors can have.
///
/// - Throws: `.badInput` otherwise.
func checkGram(_ gram: [Int64], width: Int, vectors: Int64) throws {
    // Vectors are fewer than 2^32, products at most 2^30.
    let greatest = UInt64(vectors) << 30
    guard gram.count == width * (width + 1) / 2, gram.allSatisfy({ $0.magnitude <= greatest })
    else {
        throw CambiumError(
            .badInput, "the products of \(vectors) vectors of \(width) features are not valid")
    }
}

/// gram += other, element by element.
///
/// - Throws: `.overflow`.
func addGram(_ other: [Int64], to gram: inout [Int64]) throws {
    var overflows = false
    for index in gram.indices {
        let (sum, overflow) = gram[index].addingReportingOverflow(other[index])
        gram[index] = sum
        overflows = overflows || overflow
    }
    guard !overflows else { throw ClassSums.overflow }
}
