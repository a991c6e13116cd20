internal import Elements

/// One contribution of evidence on what a model read: windows of a text, spread over it, as they are.
///
/// A merge that solves experts and routers runs every side's model over them. The encoding (docs/format.md,
/// "Evidence") is canonical: equal contributions have equal bytes.
package struct ExcerptContribution: Sendable, Equatable {
    /// What a record begins with.
    package static let magic: [UInt8] = Array("CEVX".utf8)
    static let version: UInt8 = 1

    /// Bytes of all windows together, unless it is said otherwise.
    package static let standardBytes = 10_000
    /// Bytes of a window where tokens are bytes, and where they are longer.
    package static let windowBytes = (ofBytes: 256, ofTokens: 1_024)
    private static let mostBytes = 1 << 30

    package struct Window: Sendable, Equatable {
        /// Where in the text it begins.
        package let start: UInt64
        /// At least one.
        package let bytes: [UInt8]

        package init(start: UInt64, bytes: [UInt8]) {
            self.start = start
            self.bytes = bytes
        }
    }

    /// Which round or which data, for people.
    package let label: String
    /// Names the text, 32 bytes.
    package let data: [UInt8]
    /// Bytes of the text.
    package let byteCount: UInt64
    /// By ascending start, none in another.
    package let windows: [Window]

    /// - Throws: `.badInput` for a name or digest that cannot be, or windows that are not in order.
    package init(label: String, data: [UInt8], byteCount: UInt64, windows: [Window]) throws {
        try checkEvidenceName(label, "label", mayBeEmpty: true)
        guard data.count == 32 else {
            throw CambiumError(.badInput, "a digest of \(data.count) bytes; it must have 32")
        }
        guard !windows.isEmpty else { throw CambiumError(.badInput, "excerpts without a window") }
        var end: UInt64 = 0
        for window in windows {
            let (next, overflow) = window.start.addingReportingOverflow(UInt64(window.bytes.count))
            guard !window.bytes.isEmpty, window.start >= end, !overflow, next <= byteCount else {
                throw CambiumError(
                    .badInput,
                    "an excerpt of \(window.bytes.count) bytes at \(window.start) of a text of "
                        + "\(byteCount) bytes is out of order or range")
            }
            end = next
        }
        self.label = label
        self.data = data
        self.byteCount = byteCount
        self.windows = windows
    }

    /// Windows of a text: all of it, one behind the other, where the limit allows that; else at even distances, the
    /// first and the last bytes among them.
    ///
    /// They begin and end between characters of UTF-8, where the text is UTF-8.
    ///
    /// - Parameters:
    ///   - data: Names the text.
    ///   - limit: Bytes of all windows together, at most.
    ///   - windowBytes: Of one, about.
    /// - Throws: `.badInput` for an empty text, or a limit that leaves nothing.
    package init(
        of text: [UInt8], label: String, data: [UInt8], limit: Int = standardBytes,
        windowBytes: Int
    ) throws {
        guard !text.isEmpty else {
            throw CambiumError(.badInput, "the text of the excerpts is empty")
        }
        guard (1...Self.mostBytes).contains(limit) else {
            throw CambiumError(
                .badInput, "excerpts of \(limit) bytes; give 1 to \(Self.mostBytes)")
        }
        let isWhole = text.count <= limit
        let size = min(windowBytes, limit, text.count)
        let count = isWhole ? (text.count + size - 1) / size : limit / size
        var windows: [Window] = []
        var end = 0
        for number in 0..<count {
            var (start, next) = (end, text.count * (number + 1) / count)
            if !isWhole {
                let first = count == 1 ? 0 : (text.count - size) * number / (count - 1)
                // Forward, so that no window is longer than it may be.
                start = max(end, Self.boundary(text, at: first, isForward: true))
                next = first + size
            }
            end = max(start, Self.boundary(text, at: next))
            guard end > start else { continue }
            windows.append(Window(start: UInt64(start), bytes: Array(text[start..<end])))
        }
        try self.init(
            label: label, data: data, byteCount: UInt64(text.count), windows: windows)
    }

    /// The beginning of the character that holds a byte, or of the next one where that does not begin there; of bytes
    /// that are no UTF-8 the byte itself.
    private static func boundary(
        _ text: [UInt8], at place: Int, isForward: Bool = false
    ) -> Int {
        guard place < text.count else { return text.count }
        for step in 0..<4 {
            let next = isForward ? place + step : place - step
            guard next < text.count, next >= 0 else { break }
            if text[next] & 0xC0 != 0x80 { return next }
        }
        return place
    }

    /// Bytes of all windows.
    package var excerptBytes: Int { windows.reduce(0) { $0 + $1.bytes.count } }

    /// The canonical bytes.
    package var encoded: [UInt8] {
        var bytes = Self.magic + [Self.version]
        appendName(label, to: &bytes)
        bytes += data
        appendNumber(byteCount, to: &bytes)
        appendNumber(UInt64(windows.count), to: &bytes)
        var end: UInt64 = 0
        for window in windows {
            appendNumber(window.start - end, to: &bytes)
            appendNumber(UInt64(window.bytes.count), to: &bytes)
            bytes += window.bytes
            end = window.start + UInt64(window.bytes.count)
        }
        return bytes
    }

    /// Reads what ``encoded`` gives, and nothing else.
    ///
    /// - Throws: `.badInput`, saying where the bytes are wrong.
    package init(decoding bytes: [UInt8]) throws {
        var reader = NumberReader(bytes)
        guard try reader.take(4) == Self.magic[...] else {
            throw CambiumError(.badInput, "not a record of excerpts: it does not begin with CEVX")
        }
        let version = try reader.byte()
        guard version == Self.version else {
            throw CambiumError(
                .badInput,
                "excerpts of version \(version); this program reads version \(Self.version)")
        }
        let label = try reader.name()
        let data = Array(try reader.take(32))
        let byteCount = try reader.number()
        var (windows, end): ([Window], UInt64) = ([], 0)
        for _ in 0..<(try reader.count("excerpts")) {
            let (start, overflow) = end.addingReportingOverflow(try reader.number())
            guard !overflow, start <= byteCount, byteCount <= UInt64(Int.max) else {
                throw CambiumError(.badInput, "an excerpt begins behind the end of its text")
            }
            let window = Window(start: start, bytes: Array(try reader.take(reader.count("bytes"))))
            windows.append(window)
            end = start + UInt64(window.bytes.count)
        }
        try reader.end()
        try self.init(label: label, data: data, byteCount: byteCount, windows: windows)
    }
}
