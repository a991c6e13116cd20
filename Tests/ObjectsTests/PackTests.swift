import Elements
import KeyValue
import Objects
import TestSupport
import Testing

@Suite("Packs")
struct PackTests {
    /// The record of a pack with some objects, one of them empty.
    private func record() throws -> [UInt8] {
        try withScratchDirectory { directory in
            let environment = try EnvironmentRegistry.open(
                directory, tables: ObjectStore.tables,
                readOnly: false, creating: true)
            var staging = try ObjectStaging(environment)
            for count in [10, 0, 200, 64] {
                let header = try ObjectHeader(.tensor, [TensorShape(.u8, [count])])
                try staging.put(header, noise(count, count).raw)
            }
            try environment.write("test") { transaction in
                try staging.flush(transaction)
            }
            return try environment.read { transaction in
                try transaction.value(
                    environment.table(ObjectStore.packTable), [0, 0, 0, 0, 0, 0, 0, 1]) ?? []
            }
        }
    }

    private func pack(_ bytes: [UInt8]) throws -> Pack {
        try Pack(number: 1, record: HeldBytes(bytes).mapped)
    }

    @Test("a record fills whole pages and its objects read back")
    func sound() throws {
        let bytes = try record()
        #expect((bytes.count + 16) % 4096 == 0)
        let pack = try pack(bytes)
        #expect(pack.count == 4)
        #expect((0..<4).map { pack.payload($0).copy() } == [10, 0, 200, 64].map { noise($0, $0) })
        for index in 0..<4 {
            #expect(pack.index(pack.id(index), unit: pack.location(index).unit) == index)
            #expect(pack.index(pack.id(index), unit: 99) == nil)
        }
    }

    @Test("no flipped bit of the header or the directory traps or goes unnoticed")
    func flips() throws {
        let bytes = try record()
        let start = Int(bytes.raw.number(at: 16, as: UInt64.self))
        let end = Int(bytes.raw.number(at: 24, as: UInt64.self))
        for offset in Array(0..<48) + Array(start..<end) {
            for bit in 0..<8 {
                var damaged = bytes
                damaged[offset] ^= 1 << UInt8(bit)
                #expect(throws: CambiumError.self, "bit \(bit) of byte \(offset)") {
                    try pack(damaged)
                }
            }
        }
    }

    @Test("a record cut at any length is refused")
    func cut() throws {
        let bytes = try record()
        let end = Int(bytes.raw.number(at: 24, as: UInt64.self))
        for count in 0..<end {
            #expect(throws: CambiumError.self) { try pack(Array(bytes.prefix(count))) }
        }
    }

    /// A checksum that fits proves only that the writer meant it; every number is checked too.
    @Test("a directory that lies with the right checksum is refused")
    func lies() throws {
        var random = SeededGenerator.announced()
        let bytes = try record()
        let start = Int(bytes.raw.number(at: 16, as: UInt64.self))
        let end = Int(bytes.raw.number(at: 24, as: UInt64.self))
        for _ in 0..<3_000 {
            var damaged = bytes
            let offset = Int.random(in: start..<end, using: &random)
            damaged[offset] = UInt8.random(in: 0...255, using: &random)
            let directory = Array(damaged[start..<end])
            damaged.replaceSubrange(32..<48, with: ObjectID(hashing: directory).bytes.prefix(16))
            // Whatever it accepts lies within the record.
            if let pack = try? pack(damaged) {
                for index in 0..<pack.count {
                    _ = pack.payload(index).copy()
                    _ = pack.index(pack.id(index), unit: pack.location(index).unit)
                }
            }
        }
    }
}
