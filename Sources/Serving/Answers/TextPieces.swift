/// Makes text of bytes as they come, never of half a character; the parts together are the text of all bytes.
struct TextPieces {
    private var held: [UInt8] = []

    /// The text that some more bytes make certain.
    mutating func push(_ bytes: [UInt8]) -> String {
        held += bytes
        let whole = held.count - Self.unfinished(held)
        defer { held.removeFirst(whole) }
        return String(decoding: held[..<whole], as: UTF8.self)
    }

    /// What was held back, at the end.
    mutating func finish() -> String {
        defer { held = [] }
        return String(decoding: held, as: UTF8.self)
    }

    /// How many bytes at the end could be the beginning of a character.
    private static func unfinished(_ bytes: [UInt8]) -> Int {
        for (count, byte) in bytes.reversed().prefix(3).enumerated() {
            if byte & 0xC0 == 0x80 { continue }
            let length = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1
            return length > count + 1 ? count + 1 : 0
        }
        return 0
    }
}
