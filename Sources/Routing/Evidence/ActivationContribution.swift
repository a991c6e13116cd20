internal import Elements

/// One contribution of evidence on what experts are used for: of each, in how many windows of some text a
/// router picked it.
///
/// A round that edits old experts weighs what its text picks against these. Counts add. The encoding
/// (docs/format.md, "Evidence") is canonical: equal contributions have equal bytes.
package struct ActivationContribution: Sendable, Equatable {
    /// What a record begins with.
    package static let magic: [UInt8] = Array("CEVU".utf8)
    static let version: UInt8 = 1

    /// So that sums over many records stay far from the end of the integers.
    private static let mostWindows: UInt64 = 1 << 32

    /// The counts of one layer.
    package struct Layer: Sendable, Equatable {
        package struct Entry: Sendable, Equatable {
            package let expert: UInt32
            /// At least 1, at most all windows.
            package let windows: UInt64

            package init(expert: UInt32, windows: UInt64) {
                self.expert = expert
                self.windows = windows
            }
        }

        package let layer: UInt32
        /// Those that were picked, by ascending expert.
        package let entries: [Entry]

        package init(layer: UInt32, entries: [Entry]) {
            self.layer = layer
            self.entries = entries
        }
    }

    /// The class that the text belongs to.
    package let adapter: String
    /// Which round or which data, for people.
    package let label: String
    /// Names the text, 32 bytes.
    package let data: [UInt8]
    /// Bytes of the text.
    package let byteCount: UInt64
    /// Names the trunk and the routers that picked, 32 bytes.
    package let model: [UInt8]
    /// Windows that were run.
    package let windows: UInt64
    /// By ascending layer.
    package let layers: [Layer]

    /// - Throws: `.badInput` for names or digests that cannot be, or counts that are not in order.
    package init(
        adapter: String, label: String, data: [UInt8], byteCount: UInt64, model: [UInt8],
        windows: UInt64, layers: [Layer]
    ) throws {
        try checkEvidenceName(adapter, "adapter", mayBeEmpty: false)
        try checkEvidenceName(label, "label", mayBeEmpty: true)
        guard data.count == 32, model.count == 32 else {
            throw CambiumError(
                .badInput, "digests of \(data.count) and \(model.count) bytes; they must have 32")
        }
        guard windows > 0, windows <= byteCount, windows <= Self.mostWindows else {
            throw CambiumError(
                .badInput,
                "\(windows) windows of a text of \(byteCount) bytes; at most \(Self.mostWindows) are kept"
            )
        }
        for (index, layer) in layers.enumerated() {
            guard index == 0 || layers[index - 1].layer < layer.layer,
                zip(layer.entries, layer.entries.dropFirst()).allSatisfy({ $0.expert < $1.expert }),
                layer.entries.allSatisfy({ 1...windows ~= $0.windows })
            else {
                throw CambiumError(
                    .badInput, "what layer \(layer.layer) was used for is out of order or range")
            }
        }
        self.adapter = adapter
        self.label = label
        self.data = data
        self.byteCount = byteCount
        self.model = model
        self.windows = windows
        self.layers = layers
    }

    /// The canonical bytes.
    package var encoded: [UInt8] {
        var bytes = Self.magic + [Self.version]
        for name in [adapter, label] { appendName(name, to: &bytes) }
        bytes += data
        appendNumber(byteCount, to: &bytes)
        bytes += model
        appendNumber(windows, to: &bytes)
        appendNumber(UInt64(layers.count), to: &bytes)
        for layer in layers {
            appendNumber(UInt64(layer.layer), to: &bytes)
            appendNumber(UInt64(layer.entries.count), to: &bytes)
            var last: UInt32 = 0
            for entry in layer.entries {
                appendNumber(UInt64(entry.expert - last), to: &bytes)
                appendNumber(entry.windows, to: &bytes)
                last = entry.expert
            }
        }
        return bytes
    }

    /// Reads what ``encoded`` gives, and nothing else.
    ///
    /// - Throws: `.badInput`, saying where the bytes are wrong.
    package init(decoding bytes: [UInt8]) throws {
        var reader = NumberReader(bytes)
        guard try reader.take(4) == Self.magic[...] else {
            throw CambiumError(.badInput, "not a record of use: it does not begin with CEVU")
        }
        let version = try reader.byte()
        guard version == Self.version else {
            throw CambiumError(
                .badInput, "use of version \(version); this program reads version \(Self.version)")
        }
        let (adapter, label) = (try reader.name(), try reader.name())
        let data = Array(try reader.take(32))
        let byteCount = try reader.number()
        let model = Array(try reader.take(32))
        let windows = try reader.number()
        var layers: [Layer] = []
        for _ in 0..<(try reader.count("layers")) {
            let number = try reader.small()
            var (entries, last): ([Layer.Entry], UInt32) = ([], 0)
            for _ in 0..<(try reader.count("experts")) {
                let (next, overflow) = last.addingReportingOverflow(try reader.small())
                guard !overflow else {
                    throw CambiumError(.badInput, "an expert of the evidence leaves 32 bits")
                }
                entries.append(Layer.Entry(expert: next, windows: try reader.number()))
                last = next
            }
            layers.append(Layer(layer: number, entries: entries))
        }
        try reader.end()
        try self.init(
            adapter: adapter, label: label, data: data, byteCount: byteCount, model: model,
            windows: windows, layers: layers)
    }
}
