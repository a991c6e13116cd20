import Elements
import Objects
import TestSupport
import Testing

@Suite("Object ids")
struct ObjectIDTests {
    @Test("the digest is SHA-256")
    func digest() {
        // FIPS 180-2, appendix B.1.
        #expect(
            ObjectID(hashing: Array("abc".utf8)).hex
                == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        #expect(
            ObjectID(hashing: Array("a".utf8), Array("bc".utf8).raw)
                == ObjectID(hashing: Array("abc".utf8)))
    }

    @Test("hexadecimal digits and bytes round-trip, and anything else is refused")
    func text() {
        let id = ObjectID(hashing: [1])
        #expect(ObjectID(hex: id.hex) == id)
        #expect(ObjectID(hex: id.hex.uppercased()) == id)
        #expect(ObjectID(id.bytes.raw) == id)
        #expect(ObjectID(([7] + id.bytes).raw, at: 1) == id)
        #expect(id.short == String(id.hex.prefix(12)))
        let bad = [
            "", "12", String(repeating: "g", count: 64), id.hex + "0", String(id.hex.dropLast()),
            String(repeating: "\u{E9}", count: 32),
        ]
        for text in bad { #expect(ObjectID(hex: text) == nil) }
    }

    @Test("order is that of the bytes")
    func order() {
        let ids = (0..<200).map { ObjectID(hashing: [UInt8($0)]) }
        #expect(
            ids.sorted().map(\.bytes)
                == ids.map(\.bytes).sorted { $0.lexicographicallyPrecedes($1) })
        #expect(ids.allSatisfy { ObjectID.zero < $0 })
    }
}
