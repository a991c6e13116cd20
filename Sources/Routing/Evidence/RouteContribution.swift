internal import Elements

/// One contribution of evidence about routes that are to stay: what a model's linear routers read and decided on
/// a text.
///
/// Most of the text is integer sums alone (``EntryGramSums``), from which a further expert's row is solved. How many
/// tokens end on the wrong side of a row, and whether the whole model's routes stay, sums cannot tell; for
/// that a bounded number of the text's windows is kept as tokens. The encoding (docs/format.md, "Evidence") is
/// canonical: equal contributions have equal bytes.
package struct RouteContribution: Sendable, Equatable {
    /// What a record begins with.
    package static let magic: [UInt8] = Array("CEVR".utf8)
    static let version: UInt8 = 1

    /// What one layer's router read and decided.
    package struct Layer: Sendable, Equatable {
        package let number: UInt32
        /// Makes integers of what the router reads.
        package let quantiser: Quantiser
        package let gramSums: EntryGramSums

        package init(number: UInt32, quantiser: Quantiser, gramSums: EntryGramSums) {
            self.number = number
            self.quantiser = quantiser
            self.gramSums = gramSums
        }
    }

    /// Windows of the text that are not in the sums, as tokens, by what they are used for.
    package struct Windows: Sendable, Equatable {
        /// Tokens of a window, at most.
        package static let longest = 128
        /// Windows of each use, at most.
        package static let most = 64

        /// A row is chosen by them.
        package let choose: [[UInt32]]
        /// They tell whether enough routes stay.
        package let check: [[UInt32]]
        /// Nothing but the figures is made of them.
        package let report: [[UInt32]]

        package init(choose: [[UInt32]], check: [[UInt32]], report: [[UInt32]]) {
            self.choose = choose
            self.check = check
            self.report = report
        }

        var all: [[[UInt32]]] { [choose, check, report] }
    }

    /// Which data, for people.
    package let label: String
    /// Names the text, 32 bytes.
    package let data: [UInt8]
    /// Bytes of the text.
    package let byteCount: UInt64
    /// Tokens of the windows, in the sums and beside them.
    package let tokenCount: UInt64
    /// Names the model that read it, 32 bytes.
    package let model: [UInt8]
    /// Experts of each layer at that time; others may have come since, behind them.
    package let experts: UInt32
    /// By ascending number.
    package let layers: [Layer]
    package let windows: Windows

    /// - Throws: `.badInput` for a name or digests that cannot be, layers out of order or of different texts, or
    ///   no windows of some use, or too many or too long ones.
    package init(
        label: String, data: [UInt8], byteCount: UInt64, tokenCount: UInt64, model: [UInt8],
        experts: UInt32, layers: [Layer], windows: Windows
    ) throws {
        try checkEvidenceName(label, "label", mayBeEmpty: true)
        guard data.count == 32, model.count == 32, experts > 0 else {
            throw CambiumError(
                .badInput,
                "digests of \(data.count) and \(model.count) bytes, \(experts) experts; give 32 bytes "
                    + "and at least one expert")
        }
        guard let first = layers.first,
            zip(layers, layers.dropFirst()).allSatisfy({ $0.number < $1.number }),
            layers.allSatisfy({
                $0.quantiser.width == $0.gramSums.width && $0.gramSums.count == first.gramSums.count
                    && $0.gramSums.count > 0
            })
        else {
            throw CambiumError(.badInput, "routes of layers that are not of one text, in order")
        }
        for windows in windows.all {
            guard (1...Windows.most).contains(windows.count),
                windows.allSatisfy({ (1...Windows.longest).contains($0.count) })
            else {
                throw CambiumError(
                    .badInput,
                    "windows of routes are 1 to \(Windows.most), of 1 to \(Windows.longest) tokens")
            }
        }
        self.label = label
        self.data = data
        self.byteCount = byteCount
        self.tokenCount = tokenCount
        self.model = model
        self.experts = experts
        self.layers = layers
        self.windows = windows
    }

    /// The canonical bytes.
    package var encoded: [UInt8] {
        var bytes = Self.magic + [Self.version]
        appendName(label, to: &bytes)
        bytes += data
        appendNumber(byteCount, to: &bytes)
        appendNumber(tokenCount, to: &bytes)
        bytes += model
        appendNumber(UInt64(experts), to: &bytes)
        for windows in windows.all {
            appendNumber(UInt64(windows.count), to: &bytes)
            for window in windows {
                appendNumber(UInt64(window.count), to: &bytes)
                for token in window { appendNumber(UInt64(token), to: &bytes) }
            }
        }
        appendNumber(UInt64(layers.count), to: &bytes)
        for layer in layers {
            appendNumber(UInt64(layer.number), to: &bytes)
            appendNumber(UInt64(layer.quantiser.width), to: &bytes)
            bytes += layer.quantiser.scales.littleEndianBytes
            appendNumber(UInt64(layer.gramSums.count), to: &bytes)
            appendSigned(layer.gramSums.gram, to: &bytes)
        }
        return bytes
    }

    /// Reads what ``encoded`` gives, and nothing else.
    ///
    /// - Throws: `.badInput`, saying where the bytes are wrong.
    package init(decoding bytes: [UInt8]) throws {
        var reader = NumberReader(bytes)
        guard try reader.take(4) == Self.magic[...] else {
            throw CambiumError(.badInput, "not a record of routes: it does not begin with CEVR")
        }
        let version = try reader.byte()
        guard version == Self.version else {
            throw CambiumError(
                .badInput,
                "routes of version \(version); this program reads version \(Self.version)")
        }
        let label = try reader.name()
        let data = Array(try reader.take(32))
        let (byteCount, tokenCount) = (try reader.number(), try reader.number())
        let model = Array(try reader.take(32))
        let experts = try reader.small()
        let windows = Windows(
            choose: try reader.windows(), check: try reader.windows(),
            report: try reader.windows())
        var layers: [Layer] = []
        for _ in 0..<(try reader.count("layers")) { layers.append(try reader.layer()) }
        try reader.end()
        try self.init(
            label: label, data: data, byteCount: byteCount, tokenCount: tokenCount, model: model,
            experts: experts, layers: layers, windows: windows)
    }
}

extension NumberReader {
    fileprivate mutating func windows() throws -> [[UInt32]] {
        var windows: [[UInt32]] = []
        for _ in 0..<(try count("windows")) {
            var window: [UInt32] = []
            for _ in 0..<(try count("tokens")) { window.append(try small()) }
            windows.append(window)
        }
        return windows
    }

    fileprivate mutating func layer() throws -> RouteContribution.Layer {
        let number = try small()
        let width = try count("features")
        let quantiser = try Quantiser(scales: floats(width))
        guard let tokens = Int64(exactly: try self.number()) else {
            throw CambiumError(.badInput, "a count of tokens leaves its integers")
        }
        let gram = try signed((width + 2) * (width + 3) / 2)
        return RouteContribution.Layer(
            number: number, quantiser: quantiser,
            gramSums: try EntryGramSums(width: width, count: tokens, gram: gram))
    }
}
