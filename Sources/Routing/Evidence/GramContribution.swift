internal import Elements

/// One contribution of evidence over hidden states: the Gram sums of quantised activations of some text, and
/// where they come from.
///
/// A record stands for a text that an adapter should answer, with one class, or for the experts that a
/// trained router picked on it, with a class for each value of an expert's two digits. Every fourth window
/// of the text is held out: its Gram sums are kept apart, to choose λ by, and count like the others in the
/// end. The encoding (docs/format.md, "Evidence") is canonical: equal contributions have equal bytes.
package struct GramContribution: Sendable, Equatable {
    /// What a record begins with.
    package static let magic: [UInt8] = Array("CEVM".utf8)
    static let version: UInt8 = 1
    /// Of the windows 0, 1, 2, … of a text those whose number leaves this rest by 4 are held out.
    package static let heldOutRest = 3

    /// What the Gram sums are of, besides the text.
    package struct Source: Sendable, Hashable {
        private static let mostValues: UInt32 = 1 << 24

        /// The layer whose router reads the activations.
        package let layer: UInt32
        /// Names what the activations are computed by, 32 bytes.
        package let trunk: [UInt8]
        /// Makes integers of them.
        package let quantiser: Quantiser
        /// Values of each digit: [1] for the text of an adapter, [n, m] for picks among n m experts, once for each
        /// head whose picks were counted apart.
        package let digits: [UInt32]

        /// Whether picks of experts were counted, not texts of an adapter.
        package var isOfExperts: Bool { digits != [1] }
        /// Heads whose picks were counted apart.
        package var heads: Int { digits.count / 2 }
        /// Experts of which some were picked.
        package var expertCount: Int { digits.prefix(2).reduce(1) { $0 * Int($1) } }

        /// - Throws: `.badInput` for a digest that is not 32 bytes, or digits that cannot be.
        package init(
            layer: UInt32, trunk: [UInt8], quantiser: Quantiser, digits: [UInt32]
        ) throws {
            guard trunk.count == 32 else {
                throw CambiumError(.badInput, "a trunk's digest of \(trunk.count) bytes, not 32")
            }
            let isOfPairs =
                !digits.isEmpty && digits.count % 2 == 0 && digits.count < 256
                && digits.indices.allSatisfy { digits[$0] == digits[$0 % 2] }
                && digits.allSatisfy { 1...Self.mostValues ~= $0 }
            guard digits == [1] || isOfPairs else {
                throw CambiumError(
                    .badInput,
                    "digits of \(digits) values; give two of 1 to \(Self.mostValues), the same for each head"
                )
            }
            self.layer = layer
            self.trunk = trunk
            self.quantiser = quantiser
            self.digits = digits
        }

        /// Gram sums of nothing.
        package var nothing: DigitGramSums {
            DigitGramSums(width: quantiser.width, digits: digits.count)
        }
    }

    /// The class that the text belongs to, or the adapter whose experts were picked.
    package let adapter: String
    /// Which round or which data, for people.
    package let label: String
    /// Names the text, 32 bytes.
    package let data: [UInt8]
    /// Bytes of the text.
    package let byteCount: UInt64
    package let source: Source
    /// Of the windows that are not held out.
    package let fitted: DigitGramSums
    package let heldOut: DigitGramSums

    /// - Throws: `.badInput` for names or digests that cannot be, Gram sums of another width or other
    ///   digits, or no vectors at all.
    package init(
        adapter: String, label: String, data: [UInt8], byteCount: UInt64, source: Source,
        fitted: DigitGramSums, heldOut: DigitGramSums
    ) throws {
        try checkEvidenceName(adapter, "adapter", mayBeEmpty: false)
        try checkEvidenceName(label, "label", mayBeEmpty: true)
        guard data.count == 32 else {
            throw CambiumError(.badInput, "a digest of \(data.count) bytes; it must have 32")
        }
        for part in [fitted, heldOut] {
            guard part.width == source.quantiser.width, part.digits.count == source.digits.count,
                zip(part.digits, source.digits).allSatisfy({ digit, values in
                    digit.classes.allSatisfy { $0.id < values }
                })
            else { throw CambiumError(.badInput, "Gram sums that do not fit their digits") }
        }
        guard fitted.count > 0 else {
            throw CambiumError(.badInput, "Gram sums of no vector at all")
        }
        self.adapter = adapter
        self.label = label
        self.data = data
        self.byteCount = byteCount
        self.source = source
        self.fitted = fitted
        self.heldOut = heldOut
    }

    /// Vectors of each byte of the text; 1 where that is no whole number.
    package var vectorsPerByte: Int64 {
        let (bytes, count) = (Int64(clamping: byteCount), fitted.count + heldOut.count)
        return bytes > 0 && count > bytes && count % bytes == 0 ? count / bytes : 1
    }

    /// The canonical bytes.
    package var encoded: [UInt8] {
        var bytes = Self.magic + [Self.version]
        for name in [adapter, label] { appendName(name, to: &bytes) }
        bytes += data
        appendNumber(byteCount, to: &bytes)
        appendNumber(UInt64(source.layer), to: &bytes)
        bytes += source.trunk
        appendNumber(UInt64(source.quantiser.width), to: &bytes)
        bytes += source.quantiser.scales.littleEndianBytes
        bytes.append(UInt8(source.digits.count))
        for values in source.digits { appendNumber(UInt64(values), to: &bytes) }
        for part in [fitted, heldOut] { Self.append(part, to: &bytes) }
        return bytes
    }

    /// Reads what ``encoded`` gives, and nothing else.
    ///
    /// - Throws: `.badInput`, saying where the bytes are wrong.
    package init(decoding bytes: [UInt8]) throws {
        var reader = NumberReader(bytes)
        guard try reader.take(4) == Self.magic[...] else {
            throw CambiumError(.badInput, "not a record of Gram sums: it does not begin with CEVM")
        }
        let version = try reader.byte()
        guard version == Self.version else {
            throw CambiumError(
                .badInput,
                "Gram sums of version \(version); this program reads version \(Self.version)")
        }
        let (adapter, label) = (try reader.name(), try reader.name())
        let data = Array(try reader.take(32))
        let byteCount = try reader.number()
        let layer = try reader.small()
        let trunk = Array(try reader.take(32))
        let width = Int(try reader.small())
        let quantiser = try Quantiser(scales: reader.floats(width))
        var digits: [UInt32] = []
        for _ in 0..<(try reader.byte()) { digits.append(try reader.small()) }
        let source = try Source(
            layer: layer, trunk: trunk, quantiser: quantiser, digits: digits)
        // Only behind sums of that size in the bytes themselves is room made for empty ones.
        let fitted = try reader.gramSums(width: width, digits: digits.count, mayBeEmpty: false)
        let heldOut = try reader.gramSums(width: width, digits: digits.count, mayBeEmpty: true)
        try reader.end()
        try self.init(
            adapter: adapter, label: label, data: data, byteCount: byteCount, source: source,
            fitted: fitted, heldOut: heldOut)
    }

    private static func append(_ gramSums: DigitGramSums, to bytes: inout [UInt8]) {
        for digit in gramSums.digits {
            appendNumber(UInt64(digit.classes.count), to: &bytes)
            var last: UInt32 = 0
            for entry in digit.classes {
                appendNumber(UInt64(entry.id - last), to: &bytes)
                appendNumber(UInt64(entry.count), to: &bytes)
                appendIntegers(entry.sum, to: &bytes)
                last = entry.id
            }
        }
        // Nothing is held out of a short text.
        if gramSums.count > 0 { appendIntegers(gramSums.gram, to: &bytes) }
    }
}

extension NumberReader {
    fileprivate mutating func gramSums(
        width: Int, digits: Int, mayBeEmpty: Bool
    ) throws -> DigitGramSums {
        var tables: [ClassSums] = []
        for _ in 0..<digits {
            let count = try number()
            // No room is made for what a false number claims.
            guard count <= UInt64(rest / (8 * width)) else {
                throw CambiumError(
                    .badInput, "\(count) classes in the \(rest) bytes that are left")
            }
            var classes: [ClassSums.Class] = []
            var id: UInt32 = 0
            for _ in 0..<count {
                let (next, overflow) = id.addingReportingOverflow(try small())
                guard !overflow, let vectors = Int64(exactly: try number()) else {
                    throw CambiumError(.badInput, "a class of the evidence leaves its integers")
                }
                id = next
                classes.append(
                    ClassSums.Class(id: id, count: vectors, sum: try integers(width)))
            }
            tables.append(try ClassSums(width: width, classes: classes))
        }
        let size = width * (width + 1) / 2
        guard tables.contains(where: { !$0.classes.isEmpty }) else {
            guard mayBeEmpty else { throw CambiumError(.badInput, "Gram sums of no vector at all") }
            return try DigitGramSums(digits: tables, gram: [Int64](repeating: 0, count: size))
        }
        return try DigitGramSums(digits: tables, gram: integers(size))
    }
}
