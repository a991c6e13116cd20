internal import Elements

/// One contribution of evidence for the gate: the n-grams of some text that an adapter should answer, and
/// where they come from.
///
/// Its encoding (docs/format.md, "Evidence") is canonical: equal contributions have equal bytes.
package struct CountContribution: Sendable, Equatable {
    static let magic: [UInt8] = Array("CEVC".utf8)
    static let version: UInt8 = 1

    /// The class that the text belongs to; "base" for what the base model learned.
    package let adapter: String
    /// Which round or which data, for people.
    package let label: String
    /// Names the text, 32 bytes.
    package let data: [UInt8]
    /// Bytes of the text.
    package let byteCount: UInt64
    package let counts: NGramCounts

    /// - Throws: `.badInput` for an empty or long name, one with control characters, a digest that is not
    ///   32 bytes, or counts of more n-grams than the text has bytes.
    package init(
        adapter: String, label: String, data: [UInt8], byteCount: UInt64, counts: NGramCounts
    ) throws {
        try checkEvidenceName(adapter, "adapter", mayBeEmpty: false)
        try checkEvidenceName(label, "label", mayBeEmpty: true)
        guard data.count == 32 else {
            throw CambiumError(.badInput, "a digest of \(data.count) bytes; it must have 32")
        }
        let expected = byteCount - min(byteCount, UInt64(counts.order - 1))
        guard counts.total == expected else {
            throw CambiumError(
                .badInput,
                "\(counts.total) n-grams in a text of \(byteCount) bytes, which has \(expected)")
        }
        self.adapter = adapter
        self.label = label
        self.data = data
        self.byteCount = byteCount
        self.counts = counts
    }

    /// The canonical bytes.
    package var encoded: [UInt8] {
        var bytes = Self.magic + [Self.version, UInt8(counts.order)]
        for name in [adapter, label] { appendName(name, to: &bytes) }
        bytes += data
        appendNumber(byteCount, to: &bytes)
        appendEntries(counts, to: &bytes)
        return bytes
    }

    /// Reads what ``encoded`` gives, and nothing else.
    ///
    /// - Throws: `.badInput`, saying where the bytes are wrong.
    package init(decoding bytes: [UInt8]) throws {
        var reader = NumberReader(bytes)
        guard try reader.take(4) == Self.magic[...] else {
            throw CambiumError(.badInput, "not a record of evidence: it does not begin with CEVC")
        }
        let version = try reader.byte()
        guard version == Self.version else {
            throw CambiumError(
                .badInput,
                "evidence of version \(version); this program reads version \(Self.version)")
        }
        let order = Int(try reader.byte())
        let (adapter, label) = (try reader.name(), try reader.name())
        let data = Array(try reader.take(32))
        let byteCount = try reader.number()
        let counts = try reader.entries(order: order)
        try reader.end()
        try self.init(
            adapter: adapter, label: label, data: data, byteCount: byteCount, counts: counts)
    }
}

extension CountGate {
    /// The canonical bytes of what a gate is solved from: its classes, by name, and their summed counts.
    ///
    /// The same set of contributions gives the same bytes, in whatever order it came together.
    ///
    /// - Parameter classes: By ascending name.
    package static func encoded(
        _ classes: [(name: String, counts: NGramCounts)], _ settings: Settings
    ) -> [UInt8] {
        var bytes = Array("CGTC".utf8) + [1]
        appendNumber(settings.pseudoCount, to: &bytes)
        appendNumber(UInt64(settings.decay), to: &bytes)
        appendNumber(UInt64(settings.temperature), to: &bytes)
        appendNumber(UInt64(classes.count), to: &bytes)
        for (name, counts) in classes {
            appendName(name, to: &bytes)
            bytes.append(UInt8(counts.order))
            appendEntries(counts, to: &bytes)
        }
        return bytes
    }

    /// The counts of each class: the sums over its contributions, all shortened to the lowest order among
    /// them.
    ///
    /// A text counts once in a class, whatever labels it came with; of several orders the lowest.
    ///
    /// - Returns: By ascending name, compared byte by byte: names that only look alike are different.
    /// - Throws: `.overflow`.
    package static func classes(
        of contributions: [CountContribution]
    ) throws -> [(name: String, counts: NGramCounts)] {
        let order = contributions.lazy.map(\.counts.order).min() ?? 1
        var texts: [[UInt8]: CountContribution] = [:]
        for contribution in contributions {
            let key = Array(contribution.adapter.utf8) + [0] + contribution.data
            if let first = texts[key] {
                texts[key] = contribution.isBefore(first) ? contribution : first
            } else {
                texts[key] = contribution
            }
        }
        var sums: [[UInt8]: (name: String, counts: NGramCounts)] = [:]
        for contribution in texts.values {
            let key = Array(contribution.adapter.utf8)
            let counts = contribution.counts.shortened(to: order)
            let sum = try sums[key].map { sum in
                try sum.counts.adding(counts)
            }
            sums[key] = (contribution.adapter, sum ?? counts)
        }
        return sums.sorted { $0.key.lexicographicallyPrecedes($1.key) }.map(\.value)
    }
}

extension CountContribution {
    /// Which of two records of one text is taken: a total order on their content.
    fileprivate func isBefore(_ other: CountContribution) -> Bool {
        if counts.order != other.counts.order { return counts.order < other.counts.order }
        return encoded.lexicographicallyPrecedes(other.encoded)
    }
}

/// The number of entries, then each as the step from the last key and the count.
private func appendEntries(_ counts: NGramCounts, to bytes: inout [UInt8]) {
    appendNumber(UInt64(counts.entries.count), to: &bytes)
    var last: UInt64 = 0
    for entry in counts.entries {
        appendNumber(entry.key &- last, to: &bytes)
        appendNumber(entry.count, to: &bytes)
        last = entry.key
    }
}

extension NumberReader {
    mutating func entries(order: Int) throws -> NGramCounts {
        let count = try number()
        // Each takes two bytes at least: no room is made for what a false number claims.
        guard count <= UInt64(rest) / 2 else {
            throw CambiumError(
                .badInput, "\(count) n-grams in the \(rest) bytes that are left")
        }
        var entries: [NGramCounts.Entry] = []
        entries.reserveCapacity(Int(count))
        var key: UInt64 = 0
        for _ in 0..<count {
            let (next, overflow) = key.addingReportingOverflow(try number())
            guard !overflow else {
                throw CambiumError(.badInput, "the keys of the evidence leave 64 bits")
            }
            key = next
            entries.append(NGramCounts.Entry(key: key, count: try number()))
        }
        return try NGramCounts(order: order, entries: entries)
    }
}
