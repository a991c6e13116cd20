import Elements
import Objects
import Snapshots
import Testing

@Suite("Layout records")
struct LayoutTests {
    private func layout(_ splice: Layout.Splice?) -> Layout {
        Layout(
            files: [
                Layout.File(name: "a", metadata: ["k": "v"], tensors: ["t"], splice: splice),
                Layout.File(name: "b", metadata: nil, tensors: []),
            ],
            pools: [
                Layout.Pool(
                    layer: 3, pool: "base",
                    tensors: [
                        Layout.PoolTensor(
                            template: "x.{e}", stacked: false, slice: [2, 3], partCount: 1)
                    ])
            ])
    }

    @Test("without a splice it is version 1, as it always was; with one, version 2")
    func versions() throws {
        let plain = layout(nil)
        #expect(plain.encoded[0] == 1)
        #expect(try Layout(decoding: plain.encoded) == plain)
        let odd = layout(Layout.Splice(prefix: 7, suffix: 9, middle: [1, 2, 3]))
        #expect(odd.encoded[0] == 2)
        #expect(try Layout(decoding: odd.encoded) == odd)
        // Two flags, and two numbers, a length and three bytes.
        #expect(odd.encoded.count == plain.encoded.count + 2 + 12 + 3)
    }

    @Test("what no encoder writes is refused, wherever it is cut or changed")
    func damage() throws {
        let good = layout(Layout.Splice(prefix: 7, suffix: 9, middle: [1, 2, 3])).encoded
        for count in good.indices {
            #expect(throws: CambiumError.self) { try Layout(decoding: Array(good[..<count])) }
        }
        for version: UInt8 in [0, 3, 255] {
            #expect(throws: CambiumError.self) {
                try Layout(decoding: [version] + good.dropFirst())
            }
        }
        // Version 2 without any splice is version 1, which has other bytes.
        var other = layout(nil).encoded
        other[0] = 2
        #expect(throws: CambiumError.self) { try Layout(decoding: other) }
        // Whatever is changed, what is read has the bytes that were given.
        for index in good.indices {
            for bit in 0..<8 {
                var flipped = good
                flipped[index] ^= 1 << bit
                if let read = try? Layout(decoding: flipped) { #expect(read.encoded == flipped) }
            }
        }
    }
}
