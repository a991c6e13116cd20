internal import Tensors

/// The integer sufficient statistics of labelled feature vectors: from their sum over any division
/// of the data the same router is solved.
///
/// For features φ ∈ Z^d and classes y: how many vectors each class has, Σ φ per class, and Σ φφᵀ
/// over all. Int64 throughout and checked: addition is exact, so it commutes and associates.
package struct Moments: Sendable, Equatable {
    /// What one class adds up to.
    package struct Class: Sendable, Equatable {
        package let id: UInt32
        /// Vectors, at least 1.
        package var count: Int64
        /// [width].
        package var sum: [Int64]

        package init(id: UInt32, count: Int64, sum: [Int64]) {
            self.id = id
            self.count = count
            self.sum = sum
        }
    }

    /// d.
    package let width: Int
    /// By ascending id; only classes that have vectors.
    package private(set) var classes: [Class] = []
    /// [d (d + 1) / 2]: the lower triangle of Σ φφᵀ, row by row.
    package private(set) var gram: [Int64]

    /// Nothing seen yet.
    package init(width: Int) {
        precondition(width > 0 && width <= 1 << 16, "features of width \(width)")
        self.width = width
        gram = [Int64](repeating: 0, count: width * (width + 1) / 2)
    }

    /// What was stored.
    ///
    /// - Throws: ``EvidenceError`` when counts, order or lengths cannot be.
    package init(width: Int, classes: [Class], gram: [Int64]) throws(EvidenceError) {
        guard (1...1 << 16).contains(width), gram.count == width * (width + 1) / 2,
            zip(classes, classes.dropFirst()).allSatisfy({ $0.id < $1.id }),
            classes.allSatisfy({ $0.count > 0 && $0.sum.count == width })
        else {
            throw EvidenceError(
                .badInput, "moments of \(width) features and \(classes.count) classes are not valid"
            )
        }
        self.width = width
        self.classes = classes
        self.gram = gram
    }

    /// Vectors of all classes.
    package var count: Int64 { classes.reduce(0) { $0 &+ $1.count } }

    /// Adds labelled vectors.
    ///
    /// - Parameters:
    ///   - features: [`labels.count`, `width`], magnitudes at most `IntegerGram.largestFeature`.
    ///   - labels: The class of each vector.
    /// - Throws: ``EvidenceError`` with code overflow, and then the value is of no use.
    package mutating func add(_ features: Span<Int16>, labels: [UInt32]) throws(EvidenceError) {
        precondition(
            features.count == labels.count * width, "\(features.count) features, \(labels.count)")
        let ids = Set(labels).sorted()
        let positions = Dictionary(uniqueKeysWithValues: ids.enumerated().map { ($1, $0) })
        // At most 2^15 a vector: no overflow below 2^48 vectors.
        var counts = [Int64](repeating: 0, count: ids.count)
        var sums = [Int64](repeating: 0, count: ids.count * width)
        for (index, label) in labels.enumerated() {
            guard let position = positions[label] else { continue }
            counts[position] += 1
            IntegerGram.add(
                features.extracting(index * width..<(index + 1) * width), to: &sums,
                at: position * width)
        }
        try merge(
            ids.indices.map {
                Class(
                    id: ids[$0], count: counts[$0],
                    sum: Array(sums[$0 * width..<($0 + 1) * width]))
            })
        guard IntegerGram.add(features, width: width, to: &gram) else { throw Self.overflow }
    }

    /// Adds what another contribution saw.
    ///
    /// - Throws: ``EvidenceError`` for another width, or an overflow; then the value is of no use.
    package mutating func add(_ other: Moments) throws(EvidenceError) {
        guard width == other.width else {
            throw EvidenceError(
                .incompatible, "moments of \(width) and of \(other.width) features cannot be added")
        }
        try merge(other.classes)
        for index in gram.indices {
            let (sum, overflow) = gram[index].addingReportingOverflow(other.gram[index])
            guard !overflow else { throw Self.overflow }
            gram[index] = sum
        }
    }

    private mutating func merge(_ others: [Class]) throws(EvidenceError) {
        var merged: [Class] = []
        merged.reserveCapacity(classes.count + others.count)
        var (left, right) = (classes[...], others[...])
        while let next = [left.first?.id, right.first?.id].compactMap({ $0 }).min() {
            if left.first?.id != next {
                merged.append(right.removeFirst())
                continue
            }
            var entry = left.removeFirst()
            if right.first?.id == next {
                let other = right.removeFirst()
                var overflows = false
                (entry.count, overflows) = entry.count.addingReportingOverflow(other.count)
                for feature in 0..<width {
                    let (sum, overflow) = entry.sum[feature].addingReportingOverflow(
                        other.sum[feature])
                    entry.sum[feature] = sum
                    overflows = overflows || overflow
                }
                guard !overflows else { throw Self.overflow }
            }
            merged.append(entry)
        }
        classes = merged
    }

    private static let overflow = EvidenceError(
        .overflow, "a sum of evidence leaves 64 bits; use fewer tokens or smaller features")
}
