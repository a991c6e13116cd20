import Elements
import Objects
import TestSupport
import Testing

@Suite("Compression: groups")
struct CompressionGroupTests {
    private struct Payload {
        let bytes: [UInt8]
        let width: ElementWidth
        var predecessor: [UInt8]?
    }

    @Test("an empty group, and one of empty payloads, come back")
    func empty() throws {
        #expect(try read(block([]), []) == [])
        let payloads = [
            Payload(bytes: [], width: .four), Payload(bytes: [], width: .four, predecessor: []),
        ]
        #expect(try read(block(payloads), payloads) == [[], []])
    }

    @Test("random groups of mixed widths, lengths and predecessors come back")
    func randomGroups() throws {
        var random = SeededGenerator.announced()
        for _ in 0..<300 {
            let payloads = randomPayloads(Int.random(in: 0..<40, using: &random), &random)
            let block = try block(payloads)
            #expect(try read(block, payloads) == payloads.map(\.bytes))
        }
    }

    @Test("noise is stored as it is, with a few bytes around it")
    func noiseIsStored() throws {
        let payloads = (0..<64).map { Payload(bytes: noise(2_048, $0), width: .four) }
        let block = try block(payloads)
        // Head 28, one run 12, one section 8, checksum 16.
        #expect(block.count == 64 * 2_048 + 28 + 12 + 8 + 16)
        #expect(try read(block, payloads) == payloads.map(\.bytes))
    }

    @Test("floats take less than they are, and small steps from a predecessor much less")
    func ratios() throws {
        var random = SeededGenerator(seed: 8)
        var (plain, stepped): ([Payload], [Payload]) = ([], [])
        for _ in 0..<64 {
            let old = (0..<512).map { _ in
                (0..<12).reduce(Float(-6)) { sum, _ in sum + Float.random(in: 0..<1, using: &random)
                }
            }
            let new = old.map { $0 * (1 + Float.random(in: -1e-3...1e-3, using: &random)) }
            plain.append(Payload(bytes: bytes(new), width: .four))
            stepped.append(Payload(bytes: bytes(new), width: .four, predecessor: bytes(old)))
        }
        let raw = 64 * 2_048
        #expect(try block(plain).count < raw * 87 / 100)
        #expect(try block(stepped).count < raw * 60 / 100)
    }

    @Test("the same payloads give the same block")
    func deterministic() throws {
        var random = SeededGenerator(seed: 9)
        let payloads = randomPayloads(20, &random)
        #expect(try block(payloads) == block(payloads))
    }

    @Test("every truncation of a block is corrupt, and so are bytes after it")
    func truncations() throws {
        let payloads = smallPayloads()
        let block = try block(payloads)
        for count in 0..<block.count {
            #expect(code(Array(block.prefix(count)), payloads) == .corrupt)
        }
        #expect(code(block + [0], payloads) == .corrupt)
    }

    @Test("every flipped bit of a block is corrupt or changes nothing")
    func bitFlips() throws {
        let payloads = smallPayloads()
        let block = try block(payloads)
        for bit in 0..<(8 * block.count) {
            var damaged = block
            damaged[bit / 8] ^= 1 << UInt8(bit % 8)
            do {
                #expect(try read(damaged, payloads) == payloads.map(\.bytes))
            } catch let error as CambiumError {
                #expect(error.code == .corrupt)
            }
        }
    }

    @Test("hostile tables with a right checksum are corrupt and never trap")
    func hostileTables() throws {
        var random = SeededGenerator.announced()
        let payloads = smallPayloads()
        let block = try block(payloads)
        let runs = Int(block.raw.number(at: 8, as: UInt32.self))
        let sections = Int(block.raw.number(at: 6, as: UInt16.self))
        let end = 28 + 12 * runs + 8 * sections
        for round in 0..<5_000 {
            var hostile = block
            for _ in 0...(round % 3) {
                let offset = Int.random(in: 4..<end, using: &random)
                hostile[offset] =
                    [0, 1, 2, 255, UInt8.random(in: 0...255, using: &random)]
                    .randomElement(using: &random) ?? 0
            }
            hostile = sealed(hostile)
            if let error = code(hostile, payloads) { #expect(error == .corrupt) }
        }
    }

    @Test("a group of more bytes than the limit is corrupt, also by overflow")
    func limits() throws {
        let payloads = [Payload(bytes: Array(repeating: 0, count: 1_000), width: .one)]
        let block = try block(payloads)
        #expect(code(block, payloads, limit: 1_000) == nil)
        #expect(code(block, payloads, limit: 999) == .corrupt)
        #expect(code(block, payloads, limit: 0) == .corrupt)
        var huge = block
        huge.replaceSubrange(28..<36, with: Array(repeating: 255, count: 8))
        huge = sealed(huge)
        #expect(code(huge, payloads, limit: .max) == .corrupt)
    }

    @Test("a missing or shorter predecessor, or a payload that is not there, is corrupt")
    func predecessors() throws {
        let old = noise(64, 10)
        let payloads = [Payload(bytes: noise(64, 11), width: .four, predecessor: old)]
        let bytes = try block(payloads)
        #expect(code(bytes, payloads) == nil)
        #expect(code(bytes, [Payload(bytes: [], width: .four)]) == .corrupt)
        let shorter = Array(old.prefix(63))
        #expect(
            code(bytes, [Payload(bytes: [], width: .four, predecessor: shorter)]) == .corrupt)
        var decompressor = try ZstdDecompressor()
        let group = try ColdGroup(bytes.raw, limit: 64, &decompressor)
        #expect(try group.needsPredecessor(0))
        for index in [-1, 1, Int.max] {
            #expect(throws: CambiumError.self) { _ = try group.payload(index) }
            #expect(throws: CambiumError.self) { _ = try group.needsPredecessor(index) }
        }
    }

    @Test("a predecessor of another length is refused")
    func otherLength() throws {
        let mismatched = [Payload(bytes: noise(64, 12), width: .four, predecessor: [1])]
        #expect(throws: CambiumError.self) { try block(mismatched) }
    }

    /// Sections of both methods, with and without predecessors, small enough for every bit.
    private func smallPayloads() -> [Payload] {
        let steps = (0..<200).map { UInt8($0 / 10) }
        return [
            Payload(bytes: steps, width: .four),
            Payload(bytes: steps.reversed(), width: .four, predecessor: steps),
            Payload(bytes: noise(13, 1), width: .two),
            Payload(bytes: [], width: .eight),
            Payload(bytes: noise(5, 2), width: .two, predecessor: noise(5, 3)),
        ]
    }

    /// The block with the checksum that its tables, as long as it says they are, should have.
    private func sealed(_ block: [UInt8]) -> [UInt8] {
        let runs = Int(block.raw.number(at: 8, as: UInt32.self))
        let sections = Int(block.raw.number(at: 6, as: UInt16.self))
        let end = min(28 + 12 * runs + 8 * sections, block.count)
        let tables = block.raw.extracting(28..<end)
        let checksum = ObjectID(hashing: Array(block.prefix(12)), tables).bytes.prefix(16)
        return Array(block.prefix(12)) + checksum + block.dropFirst(28)
    }

    private func randomPayloads(_ count: Int, _ random: inout SeededGenerator) -> [Payload] {
        var payloads: [Payload] = []
        for _ in 0..<count {
            let bytes: [UInt8]
            switch Int.random(in: 0..<4, using: &random) {
            case 0: bytes = random.bytes(Int.random(in: 0..<20, using: &random))
            case 1: bytes = random.bytes(Int.random(in: 0..<3_000, using: &random))
            case 2: bytes = Array(repeating: 5, count: Int.random(in: 0..<3_000, using: &random))
            default: bytes = payloads.last?.bytes ?? []
            }
            let width = ElementWidth.allCases.randomElement(using: &random) ?? .one
            var payload = Payload(bytes: bytes, width: width)
            if Bool.random(using: &random) {
                payload.predecessor = bytes.map { $0 &+ UInt8.random(in: 0...1, using: &random) }
            }
            payloads.append(payload)
        }
        return payloads
    }

    private func bytes(_ floats: [Float]) -> [UInt8] {
        floats.flatMap { float in (0..<4).map { UInt8(float.bitPattern >> (8 * $0) & 255) } }
    }

    private func block(_ payloads: [Payload]) throws -> [UInt8] {
        var compressor = try ZstdCompressor()
        var builder = ColdGroupBuilder()
        for payload in payloads {
            if let predecessor = payload.predecessor {
                try builder.add(payload.bytes.raw, payload.width, predecessor: predecessor.raw)
            } else {
                try builder.add(payload.bytes.raw, payload.width)
            }
        }
        return try builder.finish(&compressor)
    }

    /// All payloads of a block.
    private func read(
        _ block: [UInt8], _ payloads: [Payload], limit: Int = 1 << 20
    ) throws -> [[UInt8]] {
        var decompressor = try ZstdDecompressor()
        let group = try ColdGroup(block.raw, limit: limit, &decompressor)
        var result: [[UInt8]] = []
        for index in 0..<min(group.count, 1_000) {
            if index < payloads.count, let predecessor = payloads[index].predecessor {
                result.append(try group.payload(index, predecessor: predecessor.raw))
            } else {
                result.append(try group.payload(index))
            }
        }
        return result
    }

    private func code(
        _ block: [UInt8], _ payloads: [Payload], limit: Int = 1 << 20
    ) -> CambiumError.Code? {
        do {
            _ = try read(block, payloads, limit: limit)
            return nil
        } catch let error as CambiumError {
            return error.code
        } catch {
            Issue.record(error)
            return nil
        }
    }
}
