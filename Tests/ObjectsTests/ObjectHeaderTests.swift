import Elements
import Objects
import TestSupport
import Testing

@Suite("Object headers")
struct ObjectHeaderTests {
    @Test("a header reads back as it was written, for every kind, type and rank")
    func roundTrip() throws {
        for kind in ObjectKind.allCases {
            for type in ElementType.allCases {
                let parts = [
                    TensorShape(type, []), TensorShape(type, [8]), TensorShape(type, [2, 0, 4]),
                    TensorShape(type, [4, 2, 3, 8]),
                ].filter { $0.byteCount != nil }
                let header = try ObjectHeader(kind, parts)
                let decoded = try ObjectHeader(decoding: header.encoded)
                #expect(decoded == header)
                #expect(decoded.kind == kind && decoded.parts == parts)
                #expect(decoded.payloadCount == parts.compactMap(\.byteCount).reduce(0, +))
            }
        }
    }

    @Test("shapes that overflow, do not fill bytes or do not fit a record are refused")
    func limits() {
        let large = Int.max
        // A tensor of more than a record is kept in segments; nothing else is.
        for kind in [ObjectKind.tensor, .file] {
            let record = kind == .tensor ? 1 << 38 : 1 << 31
            for dimensions in [[large], [large, 2], [record], [1 << 40, 1 << 40], [-1]] {
                let error = #expect(throws: CambiumError.self) {
                    try ObjectHeader(kind, [TensorShape(.u8, dimensions)])
                }
                #expect(error?.code == .tooLarge)
            }
        }
        #expect(throws: CambiumError.self) {
            try ObjectHeader(.tensors, [TensorShape(.u8, [1 << 30]), TensorShape(.u8, [1 << 30])])
        }
        #expect((try? ObjectHeader(.tensor, [TensorShape(.u8, [1 << 31])])) != nil)
        #expect(throws: CambiumError.self) {
            try ObjectHeader(.tensor, [TensorShape(.f4, [3])])
        }
        #expect(throws: CambiumError.self) { try ObjectHeader(.tensor, []) }
        #expect(throws: CambiumError.self) {
            try ObjectHeader(.tensor, Array(repeating: TensorShape(.u8, [1]), count: 256))
        }
        #expect(throws: CambiumError.self) {
            try ObjectHeader(.tensor, [TensorShape(.u8, Array(repeating: 1, count: 256))])
        }
        // Each fits, both together do not.
        #expect(throws: CambiumError.self) {
            try ObjectHeader(
                .tensor, [TensorShape(.u8, [2_000_000_000]), TensorShape(.u8, [2_000_000_000])])
        }
    }

    @Test("only the exact encoding is accepted: any changed byte gives another header or an error")
    func canonical() throws {
        let header = try ObjectHeader(
            .neuron, [TensorShape(.f32, [4]), TensorShape(.bf16, [2, 3])])
        for offset in header.encoded.indices {
            for bit in 0..<8 {
                var bytes = header.encoded
                bytes[offset] ^= 1 << UInt8(bit)
                if let other = try? ObjectHeader(decoding: bytes) {
                    #expect(other.encoded == bytes)
                }
            }
        }
        for count in 0..<header.encoded.count {
            #expect(throws: CambiumError.self) {
                try ObjectHeader(decoding: Array(header.encoded.prefix(count)))
            }
        }
        #expect(throws: CambiumError.self) { try ObjectHeader(decoding: header.encoded + [0]) }
    }

    @Test("noise never traps the decoders")
    func noiseBytes() {
        var random = SeededGenerator.announced()
        for _ in 0..<2_000 {
            let count = Int.random(in: 0..<80, using: &random)
            let bytes = Array("CMBO".utf8) + random.bytes(count)
            _ = try? ObjectHeader(decoding: bytes)
            var decoder = ByteDecoder(bytes, "noise")
            while (try? decoder.text()) != nil, decoder.remaining > 0 {}
            _ = try? decoder.count(minimum: 3)
        }
    }
}
