import Elements
import Objects
import TestSupport
import Testing

@Suite("Compression: codecs")
struct CompressionCodecTests {
    /// Empty, smaller than an element, odd, and longer than a stride of the shuffle.
    static let lengths = [0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 63, 1_000, 4_096, 8_193, 40_003]

    @Test(
        "bytes come back from a frame, in pieces of any length and at any level", arguments: lengths
    )
    func frames(count: Int) throws {
        var decompressor = try ZstdDecompressor()
        for bytes in [noise(count, 1), Array(repeating: 7, count: count)] {
            for level in [-5, 1, 3, 19, 1_000] {
                var compressor = try ZstdCompressor(level: level)
                for piece in [1_000, max(count / 4, 1), max(count, 1), .max] {
                    let frame = try compressor.frame(of: bytes.raw, piece: piece)
                    #expect(try decompressor.content(of: frame.raw, count: count) == bytes)
                }
            }
        }
    }

    @Test("pieces of one byte each still find room in the frame")
    func smallPieces() throws {
        var compressor = try ZstdCompressor()
        var decompressor = try ZstdDecompressor()
        let bytes = noise(3_000, 2)
        let frame = try compressor.frame(of: bytes.raw, piece: 1)
        #expect(try decompressor.content(of: frame.raw, count: bytes.count) == bytes)
    }

    @Test("a frame of another size than expected is corrupt, whatever size is expected")
    func otherSize() throws {
        var compressor = try ZstdCompressor()
        let frame = try compressor.frame(of: noise(500, 3).raw)
        for count in [0, 1, 499, 501, 1 << 40, Int.max] {
            #expect(content(frame, count) == .corrupt)
        }
    }

    @Test("what is not one frame with a checksum is corrupt")
    func notAFrame() throws {
        var compressor = try ZstdCompressor()
        let frame = try compressor.frame(of: noise(500, 4).raw)
        let empty = try compressor.frame(of: [UInt8]().raw)
        // A skippable frame is valid zstd and holds nothing.
        let skippable: [UInt8] = [0x50, 0x2A, 0x4D, 0x18, 0, 0, 0, 0]
        // By hand from RFC 8878: one segment of one byte in a raw block, without a checksum.
        let unchecked: [UInt8] = [0x28, 0xB5, 0x2F, 0xFD, 0x20, 1, 9, 0, 0, 0x41]
        for bytes in [[], skippable, empty + empty, Array(frame.prefix(4)), frame + [0]] {
            #expect(content(bytes, 0) == .corrupt)
            #expect(content(bytes, 500) == .corrupt)
        }
        #expect(content(unchecked, 1) == .corrupt)
        #expect(content(empty, 0) == nil)
    }

    @Test("a truncated or damaged frame is corrupt or gives the right bytes")
    func damagedFrame() throws {
        var compressor = try ZstdCompressor()
        var decompressor = try ZstdDecompressor()
        let bytes = noise(40, 5) + Array(repeating: 9, count: 400)
        let frame = try compressor.frame(of: bytes.raw)
        for length in 0..<frame.count {
            #expect(content(Array(frame.prefix(length)), bytes.count) == .corrupt)
        }
        for bit in 0..<(8 * frame.count) {
            var damaged = frame
            damaged[bit / 8] ^= 1 << UInt8(bit % 8)
            let read = try? decompressor.content(of: damaged.raw, count: bytes.count)
            #expect(read == nil || read == bytes)
        }
        // The decompressor still works after errors.
        #expect(try decompressor.content(of: frame.raw, count: bytes.count) == bytes)
    }

    @Test("shuffling gathers the bytes of each place and leaves the tail")
    func shuffleOrder() {
        let bytes: [UInt8] = [0, 1, 2, 3, 10, 11, 12, 13, 20, 21]
        #expect(ByteShuffle.shuffled(bytes, .one) == bytes)
        #expect(ByteShuffle.shuffled(bytes, .two) == [0, 2, 10, 12, 20, 1, 3, 11, 13, 21])
        #expect(ByteShuffle.shuffled(bytes, .four) == [0, 10, 1, 11, 2, 12, 3, 13, 20, 21])
        #expect(ByteShuffle.shuffled(bytes, .eight) == bytes)
    }

    @Test("unshuffling gives the bytes back", arguments: ElementWidth.allCases, lengths)
    func shuffleInverse(width: ElementWidth, count: Int) {
        let bytes = noise(count, count)
        let shuffled = ByteShuffle.shuffled(bytes, width)
        #expect(ByteShuffle.unshuffled(shuffled, width) == bytes)
        let whole = count / width.byteCount
        for index in 0..<(whole * width.byteCount) {
            let (element, plane) = index.quotientAndRemainder(dividingBy: width.byteCount)
            guard shuffled[plane * whole + element] == bytes[index] else {
                Issue.record("byte \(index) of \(count) is in the wrong place")
                return
            }
        }
    }

    /// A version's way through a block of its own and back.
    private func restored(_ new: [UInt8], from old: [UInt8], _ width: ElementWidth) throws
        -> [UInt8]
    {
        var builder = ColdGroupBuilder()
        try builder.add(new.raw, width, predecessor: old.raw)
        var compressor = try ZstdCompressor()
        var decompressor = try ZstdDecompressor()
        let block = try builder.finish(&compressor)
        let group = try ColdGroup(block.raw, limit: new.count, &decompressor)
        return try group.payload(0, predecessor: old.raw)
    }

    @Test("a version comes back from its difference", arguments: ElementWidth.allCases, lengths)
    func deltaInverse(width: ElementWidth, count: Int) throws {
        let (old, new) = (noise(count, 6), noise(count, 7))
        #expect(try restored(new, from: old, width) == new)
        #expect(try restored(new, from: new, width) == new)
        // A little changed: kept as the changed elements alone.
        var near = old
        for index in stride(from: 3, to: count, by: 50) { near[index] &+= 1 }
        #expect(try restored(near, from: old, width) == near)
    }

    @Test("small steps up and down, also over the wrap, are small numbers")
    func deltaValues() {
        func difference(_ new: UInt16, _ old: UInt16) -> UInt16 {
            VersionDelta.zigzagged(new &- old)
        }
        #expect(difference(0x0100, 0x00FF) == 2)
        #expect(difference(0x00FF, 0x0100) == 1)
        #expect(difference(0x0000, 0xFFFF) == 2)
        #expect(difference(0x8000, 0x0000) == 0xFFFF)
        for word in [0, 1, 2, 0x7FFF, 0x8000, 0xFFFF] as [UInt16] {
            #expect(VersionDelta.unzigzagged(VersionDelta.zigzagged(word)) == word)
        }
    }

    @Test("NaNs, infinities, zeros and denormals come back bit for bit")
    func specialFloats() throws {
        let floats: [Float] = [
            .nan, .signalingNaN, -.nan, .infinity, -.infinity, 0, -0.0, .leastNonzeroMagnitude,
            -.leastNonzeroMagnitude, .leastNormalMagnitude, .greatestFiniteMagnitude, 1,
            Float(bitPattern: .max),
        ]
        func bytes(_ floats: [Float]) -> [UInt8] {
            floats.flatMap { float in (0..<4).map { UInt8(float.bitPattern >> (8 * $0) & 255) } }
        }
        for shift in floats.indices {
            let old = bytes(Array(floats[shift...] + floats[..<shift]))
            for width in ElementWidth.allCases {
                let new = bytes(floats)
                #expect(try restored(new, from: old, width) == new)
            }
        }
    }

    @Test("versions of different lengths are corrupt")
    func deltaLengths() {
        let error = #expect(throws: CambiumError.self) {
            _ = try restored([1, 2], from: [1], .one)
        }
        #expect(error?.code == .corrupt)
    }

    @Test("each element type has a width, and parts that disagree are bytes")
    func widths() throws {
        for type in ElementType.allCases {
            #expect(ElementWidth(type).byteCount == max(type.bitWidth / 8, 1))
        }
        func width(_ types: ElementType...) throws -> ElementWidth {
            ElementWidth(try ObjectHeader(.tensors, types.map { TensorShape($0, [8]) }))
        }
        #expect(try width(.bf16) == .two)
        #expect(try width(.f32, .i32, .u32) == .four)
        #expect(try width(.f64) == .eight)
        #expect(try width(.f32, .bf16) == .one)
        #expect(try width(.f4, .f6e2m3) == .one)
    }

    /// The code of the error that decompressing throws, or nil.
    private func content(_ frame: [UInt8], _ count: Int) -> CambiumError.Code? {
        do {
            var decompressor = try ZstdDecompressor()
            _ = try decompressor.content(of: frame.raw, count: count)
            return nil
        } catch let error as CambiumError {
            return error.code
        } catch {
            Issue.record(error)
            return nil
        }
    }
}
