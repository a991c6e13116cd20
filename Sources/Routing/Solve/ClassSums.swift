internal import Elements
internal import Tensors

/// How many feature vectors each class has, and Σ φ of each: the part of Gram sums that knows labels.
///
/// Int64 and checked, so that addition commutes and associates.
package struct ClassSums: Sendable, Equatable {
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

    /// Vectors of all classes are fewer: no sum of their features leaves 64 bits.
    static let limit: Int64 = 1 << 32

    /// d.
    package let width: Int
    /// By ascending id; only classes that have vectors.
    package private(set) var classes: [Class] = []

    /// Nothing seen yet.
    init(width: Int) {
        precondition(width > 0 && width <= 1 << 16, "features of width \(width)")
        self.width = width
    }

    /// What was stored.
    ///
    /// - Throws: `.badInput` when order, counts or lengths cannot be, or a sum is greater than so many
    ///   vectors can have; `.overflow` for 2^32 vectors or more.
    init(width: Int, classes: [Class]) throws {
        guard (1...1 << 16).contains(width),
            zip(classes, classes.dropFirst()).allSatisfy({ $0.id < $1.id }),
            classes.allSatisfy({ $0.count > 0 && $0.sum.count == width })
        else {
            throw CambiumError(
                .badInput,
                "Gram sums of \(width) features and \(classes.count) classes are not valid"
            )
        }
        var total: Int64 = 0
        for entry in classes {
            let (next, overflow) = total.addingReportingOverflow(entry.count)
            total = next
            guard !overflow, total < Self.limit else { throw Self.overflow }
            let greatest = UInt64(entry.count) * UInt64(IntegerGram.largestFeature)
            guard entry.sum.allSatisfy({ $0.magnitude <= greatest }) else {
                throw CambiumError(
                    .badInput,
                    "a sum of class \(entry.id) is greater than \(entry.count) vectors can have")
            }
        }
        self.width = width
        self.classes = classes
    }

    /// Vectors of all classes.
    package var count: Int64 { classes.reduce(0) { $0 + $1.count } }

    /// Adds labelled vectors.
    ///
    /// - Parameters:
    ///   - features: [tokens, `width`], magnitudes at most `IntegerGram.largestFeature`.
    ///   - labels: [tokens, `perToken`]: the classes that each vector counts for.
    mutating func add(
        _ features: Span<Int16>, labels: [UInt32], perToken: Int = 1
    ) throws {
        precondition(
            perToken > 0 && labels.count % perToken == 0
                && features.count == labels.count / perToken * width,
            "\(features.count) features, \(labels.count) labels")
        let ids = Set(labels).sorted()
        let positions = Dictionary(uniqueKeysWithValues: ids.enumerated().map { ($1, $0) })
        // At most 2^15 a vector: no overflow below 2^48 vectors.
        var counts = [Int64](repeating: 0, count: ids.count)
        var sums = [Int64](repeating: 0, count: ids.count * width)
        for (index, label) in labels.enumerated() {
            guard let position = positions[label] else { continue }
            counts[position] += 1
            let start = index / perToken * width
            IntegerGram.add(
                features.extracting(start..<start + width), to: &sums, at: position * width)
        }
        try merge(
            ids.indices.map {
                Class(
                    id: ids[$0], count: counts[$0],
                    sum: Array(sums[$0 * width..<($0 + 1) * width]))
            })
    }

    /// Adds what another contribution saw; both must have one width.
    mutating func add(_ other: ClassSums) throws { try merge(other.classes) }

    /// The same sums under one other class.
    func renamed(_ id: UInt32) throws -> ClassSums {
        var result = ClassSums(width: width)
        for entry in classes {
            try result.merge([Class(id: id, count: entry.count, sum: entry.sum)])
        }
        return result
    }

    /// The same sums with `size` classes that follow each other as one.
    func grouped(by size: UInt32) throws -> ClassSums {
        guard size > 1 else { return self }
        var groups: [Class] = []
        for entry in classes {
            let id = entry.id / size
            if let last = groups.last, last.id == id {
                try groups[groups.count - 1].add(entry)
            } else {
                groups.append(Class(id: id, count: entry.count, sum: entry.sum))
            }
        }
        return try ClassSums(width: width, classes: groups)
    }

    private mutating func merge(_ others: [Class]) throws {
        var merged: [Class] = []
        merged.reserveCapacity(classes.count + others.count)
        var (left, right) = (0, 0)
        var total: Int64 = 0
        while left < classes.count || right < others.count {
            let isLeft =
                right == others.count
                || left < classes.count && classes[left].id <= others[right].id
            var entry = isLeft ? classes[left] : others[right]
            if isLeft, right < others.count, others[right].id == entry.id {
                try entry.add(others[right])
                right += 1
            }
            if isLeft { left += 1 } else { right += 1 }
            total += entry.count
            guard total < Self.limit else { throw Self.overflow }
            merged.append(entry)
        }
        classes = merged
    }

    static let overflow = CambiumError(
        .overflow, "a sum of evidence leaves its integers; use fewer tokens or smaller features")
}

extension ClassSums.Class {
    /// Adds what another contribution saw of the class.
    fileprivate mutating func add(_ other: Self) throws {
        var overflows = false
        (count, overflows) = count.addingReportingOverflow(other.count)
        for feature in sum.indices {
            let (total, overflow) = sum[feature].addingReportingOverflow(other.sum[feature])
            sum[feature] = total
            overflows = overflows || overflow
        }
        guard !overflows else { throw ClassSums.overflow }
    }
}
