import Elements
import TestSupport
import Testing

@Suite("Elements that differ")
struct ElementChangesTests {
    @Test(
        "are those whose bits differ, for every width, length, alignment and share",
        arguments: [1, 2, 4, 8])
    func differing(_ width: Int) {
        var random = SeededGenerator(seed: UInt64(width))
        for count in [0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100, 1000] {
            for share in [0, 0.02, 0.5, 1] {
                // Slices of experts begin anywhere.
                let skipped = Int.random(in: 0...9, using: &random)
                let old = (0..<(skipped + count * width)).map { _ in
                    UInt8.random(in: 0...255, using: &random)
                }
                var new = old
                var expected: [Int] = []
                for element in 0..<count where Double.random(in: 0..<1, using: &random) < share {
                    // One bit anywhere in the element.
                    let byte = Int.random(in: 0..<width, using: &random)
                    new[skipped + element * width + byte] ^=
                        1 << UInt8.random(in: 0...7, using: &random)
                    expected.append(element)
                }
                let range = skipped..<new.count
                let right = Array(new[range])
                let found = new.raw.extracting(range)
                    .elements(differingFrom: old.raw.extracting(range), width: width)
                #expect(found == expected, "\(count) elements of \(width) bytes")
                let values = right.raw.elements(at: found, width: width)
                var gathered: [UInt8] = []
                for element in found {
                    gathered += right[(element * width)..<((element + 1) * width)]
                }
                #expect(values == gathered)
                var applied = old
                let isDone = applied.withRawBytes { bytes in
                    bytes.replace(elements: found, in: range, by: values.raw, width: width)
                }
                #expect(isDone && applied == new)
            }
        }
    }

    @Test("outside the bytes are not replaced", arguments: [-1, 4, .max, .min])
    func outside(_ index: Int) {
        var bytes: [UInt8] = Array(0..<12)
        let isDone = bytes.withRawBytes { span in
            span.replace(elements: [1, index], in: 2..<10, by: [9, 9, 8, 8].raw, width: 2)
        }
        #expect(!isDone && bytes == [0, 1, 2, 3, 9, 9, 6, 7, 8, 9, 10, 11])
    }

    @Test("indices are written little-endian in four or eight bytes")
    func encoding() {
        #expect([1, 258].littleEndianBytes(width: 4) == [1, 0, 0, 0, 2, 1, 0, 0])
        #expect([1 << 40].littleEndianBytes(width: 8) == [0, 0, 0, 0, 0, 1, 0, 0])
        #expect([Int]().littleEndianBytes(width: 8).isEmpty)
    }
}
