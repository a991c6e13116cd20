import Testing

@testable import Serving

@Suite("text that comes in pieces")
struct TextPiecesTests {
    @Test(
        "is that of all bytes, cut anywhere",
        arguments: [
            Array("plain".utf8), Array("Zoë, 漢字, 🌳🌳!".utf8), [0xE2, 0x82], [0xFF, 0x41, 0xC3],
            [0xF0, 0x9F, 0x41, 0xE0, 0x80, 0x80, 0xED, 0xA0, 0x80, 0xC3, 0xA9],
        ] as [[UInt8]])
    func pieces(_ bytes: [UInt8]) {
        for size in 1...4 {
            var pieces = TextPieces()
            var text = ""
            for start in stride(from: 0, to: bytes.count, by: size) {
                text += pieces.push(Array(bytes[start..<min(start + size, bytes.count)]))
            }
            text += pieces.finish()
            #expect(text == String(decoding: bytes, as: UTF8.self))
        }
    }
}
