internal import Elements

/// One contribution of evidence about old behaviour: what a model's expert layers read on a text.
///
/// A later round that is held to it runs the layers as they were and as they become over these states, and needs
/// no text for it. The encoding (docs/format.md, "Evidence") is canonical: equal contributions have equal
/// bytes.
package struct StateContribution: Sendable, Equatable {
    /// What a record begins with.
    package static let magic: [UInt8] = Array("CEVS".utf8)
    /// Of records without and with rows.
    static let versions: (plain: UInt8, rows: UInt8) = (1, 2)
    /// States of a record, at most.
    package static let most = 1 << 16

    /// What one layer read.
    package struct Layer: Sendable, Equatable {
        package let number: UInt32
        package let width: Int
        /// [states, width], the upper halves of 32-bit floats (BF16).
        package let halves: [UInt16]

        /// - Parameter states: [states, width]; rounded to the nearest, ties to even.
        package init(number: UInt32, width: Int, states: some Sequence<Float>) {
            self.init(
                number: number, width: width,
                halves: states.map { value in
                    let bits = value.bitPattern
                    return UInt16(truncatingIfNeeded: (bits &+ 0x7FFF &+ (bits >> 16 & 1)) >> 16)
                })
        }

        fileprivate init(number: UInt32, width: Int, halves: [UInt16]) {
            self.number = number
            self.width = width
            self.halves = halves
        }

        /// [states, width].
        package var states: [Float] { halves.map { Float(bitPattern: UInt32($0) << 16) } }
    }

    /// Which data, for people.
    package let label: String
    /// Names the text, 32 bytes.
    package let data: [UInt8]
    /// Bytes of the text.
    package let byteCount: UInt64
    /// Names the model that read it, 32 bytes.
    package let model: [UInt8]
    /// States of each layer: of the same tokens in all.
    package let count: Int
    /// By ascending number; may be empty beside rows.
    package let layers: [Layer]
    /// Of a model with hashed experts: what the tokens pick of them.
    package let rows: Rows?

    /// - Throws: `.badInput` for a name or digests that cannot be, layers out of order, states that are not `count`
    ///   in each, numbers that are not finite, or picks of no row.
    package init(
        label: String, data: [UInt8], byteCount: UInt64, model: [UInt8], count: Int,
        layers: [Layer], rows: Rows? = nil
    ) throws {
        try checkEvidenceName(label, "label", mayBeEmpty: true)
        guard data.count == 32, model.count == 32 else {
            throw CambiumError(
                .badInput, "digests of \(data.count) and \(model.count) bytes; give 32")
        }
        guard (1...Self.most).contains(count) else {
            throw CambiumError(
                .badInput, "\(count) states; a record has 1 to \(Self.most) of each layer")
        }
        guard !layers.isEmpty || rows != nil,
            zip(layers, layers.dropFirst()).allSatisfy({ $0.number < $1.number }),
            layers.allSatisfy({
                $0.width > 0 && $0.halves.count / $0.width == count
                    && $0.halves.count % $0.width == 0
            })
        else {
            throw CambiumError(
                .badInput, "states of layers that are not in order, or not \(count) of each")
        }
        for layer in layers where layer.halves.contains(where: { $0 & 0x7F80 == 0x7F80 }) {
            throw CambiumError(.badInput, "layer \(layer.number) has states that are not finite")
        }
        guard rows?.isFit(count) ?? true else {
            throw CambiumError(.badInput, "picks of hashed experts that are not of \(count) tokens")
        }
        self.label = label
        self.data = data
        self.byteCount = byteCount
        self.model = model
        self.count = count
        self.layers = layers
        self.rows = rows
    }

    /// The canonical bytes.
    package var encoded: [UInt8] {
        var bytes = Self.magic + [rows == nil ? Self.versions.plain : Self.versions.rows]
        appendName(label, to: &bytes)
        bytes += data
        appendNumber(byteCount, to: &bytes)
        bytes += model
        appendNumber(UInt64(count), to: &bytes)
        appendNumber(UInt64(layers.count), to: &bytes)
        for layer in layers {
            appendNumber(UInt64(layer.number), to: &bytes)
            appendNumber(UInt64(layer.width), to: &bytes)
            bytes.reserveCapacity(bytes.count + 2 * layer.halves.count)
            for half in layer.halves {
                bytes.append(UInt8(truncatingIfNeeded: half))
                bytes.append(UInt8(truncatingIfNeeded: half >> 8))
            }
        }
        rows?.append(to: &bytes)
        return bytes
    }

    /// Reads what ``encoded`` gives, and nothing else.
    ///
    /// - Throws: `.badInput`, saying where the bytes are wrong.
    package init(decoding bytes: [UInt8]) throws {
        var reader = NumberReader(bytes)
        guard try reader.take(4) == Self.magic[...] else {
            throw CambiumError(.badInput, "not a record of states: it does not begin with CEVS")
        }
        let version = try reader.byte()
        guard version == Self.versions.plain || version == Self.versions.rows else {
            throw CambiumError(
                .badInput,
                "states of version \(version); this program reads versions \(Self.versions.plain) and "
                    + "\(Self.versions.rows)")
        }
        let label = try reader.name()
        let data = Array(try reader.take(32))
        let byteCount = try reader.number()
        let model = Array(try reader.take(32))
        let count = try reader.count("states")
        var layers: [Layer] = []
        for _ in 0..<(try reader.count("layers")) {
            let (number, width) = (try reader.small(), try reader.count("features"))
            // Neither product leaves the integers: both are at most the bytes that are there.
            let (size, overflows) = (2 * count).multipliedReportingOverflow(by: width)
            let pairs = Array(try reader.take(overflows ? .max : size))
            layers.append(
                Layer(
                    number: number, width: width,
                    halves: stride(from: 0, to: pairs.count, by: 2).map {
                        UInt16(pairs[$0]) | UInt16(pairs[$0 + 1]) << 8
                    }))
        }
        let rows =
            version == Self.versions.rows ? try Rows(&reader, count: count) : nil
        try reader.end()
        try self.init(
            label: label, data: data, byteCount: byteCount, model: model, count: count,
            layers: layers, rows: rows)
    }
}
