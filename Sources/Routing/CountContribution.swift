/// One contribution of evidence for the gate: the n-grams of some text that a cohort should answer, and
/// where they come from.
///
/// Its encoding (docs/format.md, "Evidence") is canonical: equal contributions have equal bytes.
package struct CountContribution: Sendable, Equatable {
    static let magic: [UInt8] = Array("CEVC".utf8)
    static let version: UInt8 = 1
    /// Bytes of a name, at most.
    static let longestName = 255

    /// The class that the text belongs to; "base" for what the base model learned.
    package let cohort: String
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
        cohort: String, label: String, data: [UInt8], byteCount: UInt64, counts: NGramCounts
    ) throws(EvidenceError) {
        try Self.check(cohort, "cohort", mayBeEmpty: false)
        try Self.check(label, "label", mayBeEmpty: true)
        guard data.count == 32 else {
            throw EvidenceError(.badInput, "a digest of \(data.count) bytes; it must have 32")
        }
        let expected = byteCount - min(byteCount, UInt64(counts.order - 1))
        guard counts.total == expected else {
            throw EvidenceError(
                .badInput,
                "\(counts.total) n-grams in a text of \(byteCount) bytes, which has \(expected)")
        }
        self.cohort = cohort
        self.label = label
        self.data = data
        self.byteCount = byteCount
        self.counts = counts
    }

    private static func check(
        _ name: String, _ what: String, mayBeEmpty: Bool
    ) throws(EvidenceError) {
        guard mayBeEmpty || !name.isEmpty else {
            throw EvidenceError(.badInput, "the \(what)'s name is empty")
        }
        guard name.utf8.count <= longestName else {
            throw EvidenceError(
                .badInput,
                "the \(what)'s name has \(name.utf8.count) bytes; at most \(longestName) are kept")
        }
        guard name.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7f }) else {
            throw EvidenceError(.badInput, "the \(what)'s name has control characters")
        }
    }

    /// The canonical bytes.
    package var encoded: [UInt8] {
        var bytes = Self.magic + [Self.version, UInt8(counts.order)]
        for name in [cohort, label] {
            bytes.append(UInt8(name.utf8.count))
            bytes += Array(name.utf8)
        }
        bytes += data
        appendNumber(byteCount, to: &bytes)
        appendEntries(counts, to: &bytes)
        return bytes
    }

    /// Reads what ``encoded`` gives, and nothing else.
    ///
    /// - Throws: `.badInput`, saying where the bytes are wrong.
    package init(decoding bytes: [UInt8]) throws(EvidenceError) {
        var reader = NumberReader(bytes)
        guard try reader.take(4) == Self.magic[...] else {
            throw EvidenceError(.badInput, "not a record of evidence: it does not begin with CEVC")
        }
        let version = try reader.byte()
        guard version == Self.version else {
            throw EvidenceError(
                .badInput,
                "evidence of version \(version); this program reads version \(Self.version)")
        }
        let order = Int(try reader.byte())
        var names: [String] = []
        for _ in 0..<2 {
            let length = Int(try reader.byte())
            guard let name = String(validating: try reader.take(length), as: UTF8.self) else {
                throw EvidenceError(.badInput, "a name in the evidence is not UTF-8")
            }
            names.append(name)
        }
        let data = Array(try reader.take(32))
        let byteCount = try reader.number()
        let counts = try reader.entries(order: order)
        try reader.end()
        try self.init(
            cohort: names[0], label: names[1], data: data, byteCount: byteCount, counts: counts)
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
            bytes.append(UInt8(name.utf8.count))
            bytes += Array(name.utf8)
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
    ) throws(EvidenceError) -> [(name: String, counts: NGramCounts)] {
        let order = contributions.lazy.map(\.counts.order).min() ?? 1
        var texts: [[UInt8]: CountContribution] = [:]
        for contribution in contributions {
            let key = Array(contribution.cohort.utf8) + [0] + contribution.data
            if let first = texts[key] {
                texts[key] = contribution.isBefore(first) ? contribution : first
            } else {
                texts[key] = contribution
            }
        }
        var sums: [[UInt8]: (name: String, counts: NGramCounts)] = [:]
        for contribution in texts.values {
            let key = Array(contribution.cohort.utf8)
            let counts = contribution.counts.shortened(to: order)
            let sum = try sums[key].map { (sum) throws(EvidenceError) in
                try sum.counts.adding(counts)
            }
            sums[key] = (contribution.cohort, sum ?? counts)
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

/// LEB128: seven bits a byte, the least first; the highest bit says that more follow.
private func appendNumber(_ number: UInt64, to bytes: inout [UInt8]) {
    var rest = number
    while rest >= 0x80 {
        bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
        rest >>= 7
    }
    bytes.append(UInt8(rest))
}

/// Reads numbers and checks that they are there.
private struct NumberReader {
    private let bytes: [UInt8]
    private var position = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    mutating func take(_ count: Int) throws(EvidenceError) -> ArraySlice<UInt8> {
        guard count <= bytes.count - position else {
            throw EvidenceError(
                .badInput,
                "evidence of \(bytes.count) bytes ends within what begins at byte \(position)")
        }
        defer { position += count }
        return bytes[position..<position + count]
    }

    mutating func byte() throws(EvidenceError) -> UInt8 {
        let part = try take(1)
        return part[part.startIndex]
    }

    mutating func number() throws(EvidenceError) -> UInt64 {
        let start = position
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 70, by: 7) {
            let byte = try byte()
            let bits = UInt64(byte & 0x7f)
            guard shift < 63 || bits < 2, (bits << shift) >> shift == bits else { break }
            value |= bits << shift
            if byte & 0x80 == 0 {
                // Only the shortest form, so that equal content has equal bytes.
                if byte == 0, shift > 0 { break }
                return value
            }
        }
        throw EvidenceError(
            .badInput, "the number at byte \(start) of the evidence is not in its shortest form")
    }

    mutating func entries(order: Int) throws(EvidenceError) -> NGramCounts {
        let count = try number()
        // Each takes two bytes at least: no room is made for what a false number claims.
        guard count <= UInt64(bytes.count - position) / 2 else {
            throw EvidenceError(
                .badInput, "\(count) n-grams in the \(bytes.count - position) bytes that are left")
        }
        var entries: [NGramCounts.Entry] = []
        entries.reserveCapacity(Int(count))
        var key: UInt64 = 0
        for _ in 0..<count {
            let (next, overflow) = key.addingReportingOverflow(try number())
            guard !overflow else {
                throw EvidenceError(.badInput, "the keys of the evidence leave 64 bits")
            }
            key = next
            entries.append(NGramCounts.Entry(key: key, count: try number()))
        }
        return try NGramCounts(order: order, entries: entries)
    }

    func end() throws(EvidenceError) {
        guard position == bytes.count else {
            throw EvidenceError(
                .badInput, "\(bytes.count - position) bytes too many at the end of the evidence")
        }
    }
}
