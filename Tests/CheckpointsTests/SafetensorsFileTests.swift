import Checkpoints
import Elements
import Files
import Foundation
import TestSupport
import Testing

@Suite("Safetensors files")
struct SafetensorsFileTests {
    let folder = ScratchFolder()

    @Test("a path with nothing behind it is .notFound")
    func missing() {
        #expect(
            code { try SafetensorsFile(opening: "\(folder.path)/none.safetensors") } == .notFound)
        #expect(code { try Checkpoint(opening: "\(folder.path)/none") } == .notFound)
    }

    @Test("a named pipe is refused without waiting for a writer")
    func pipe() throws {
        let path = "\(folder.path)/pipe.safetensors"
        let made = unsafe mkfifo(path, 0o600)
        try #require(made == 0)
        #expect(code { try SafetensorsFile(opening: path) } == .unsupported)
    }

    @Test("a file that is appended to, overwritten or cut after the opening is .changed")
    func changed() throws {
        for change in ["append", "overwrite", "cut"] {
            let path = try folder.write("x", safetensors("{\(member())}", data: [1, 2]))
            let file = try SafetensorsFile(opening: path)
            try file.checkUnchanged()
            let handle = try #require(FileHandle(forWritingAtPath: path))
            switch change {
            case "append": _ = try handle.seekToEnd()
            case "cut": try handle.truncate(atOffset: 20)
            default: break
            }
            if change != "cut" { try handle.write(contentsOf: Data([9])) }
            try handle.close()
            // The clock that stamps files may be coarser than the time between open and write.
            let later = [FileAttributeKey.modificationDate: Date(timeIntervalSinceNow: 60)]
            try FileManager.default.setAttributes(later, ofItemAtPath: path)
            #expect(code { try file.checkUnchanged() } == .changed, "\(change)")
        }
    }

    @Test("a file replaced by a rename stays what it was")
    func replaced() throws {
        let path = "\(folder.path)/x.safetensors"
        try write([tensor("a", .u8, [3])], to: path)
        let file = try SafetensorsFile(opening: path)
        let before = file.bytes(of: 0).copy()
        try write([tensor("a", .u8, [3], seed: 9)], to: path)
        try file.checkUnchanged()
        #expect(file.bytes(of: 0).copy() == before)
        #expect(try SafetensorsFile(opening: path).bytes(of: 0).copy() != before)
    }

    @Test("the bytes outlive the file value that lent them")
    func bytesRetainTheMapping() throws {
        let bytes = try open(safetensors("{\(member())}", data: [7, 8])).bytes(of: 0)
        #expect(bytes.copy() == [7, 8])
    }

    @Test("a header of 100,000 tensors is read whole")
    func manyTensors() throws {
        let path = "\(folder.path)/many.safetensors"
        let entries = (0..<100_000).map {
            TensorEntry("model.layers.1.mlp.experts.\($0).down_proj.weight", TensorShape(.f32, [2]))
        }
        try SafetensorsWriter.write(entries, to: path) {
            (_, sink: inout TensorSink) in
            try sink.append([0, 1, 2, 3, 4, 5, 6, 7].raw)
        }
        let clock = ContinuousClock()
        var count = 0
        let time = try clock.measure {
            count = try SafetensorsFile(opening: path).header.tensors.count
        }
        #expect(count == 100_000)
        print("100,000 tensors read in \(time)")
    }

    @Test("changed bytes in a header throw or yield tensors that tile the data", arguments: 0..<8)
    func mutations(seed: UInt64) throws {
        let header =
            #"{"__metadata__":{"format":"pt","k\u00e9y":"v"},"#
            + "\(member("a.weight", "F32", "[2,3]", "[0,24]")),"
            + "\(member("b", "BF16", "[1]", "[24,26]")),\(member("c", "U8", "[0,4]", "[26,26]")),"
            + "\(member("d", "I64", "[]", "[26,34]"))}  "
        let original = safetensors(header, data: Array(repeating: 5, count: 34))
        var generator = SeededGenerator(seed: seed)
        var (accepted, refused) = (0, 0)
        for _ in 0..<500 {
            var file = original
            for _ in 0...Int.random(in: 0..<3, using: &generator) {
                mutate(&file, &generator)
            }
            guard let opened = try openOrRefuse(file) else {
                refused += 1
                continue
            }
            accepted += 1
            var end = 0
            for (position, tensor) in opened.header.tensors.enumerated() {
                #expect(tensor.range.lowerBound == end, "seed \(seed)")
                #expect(tensor.shape.byteCount == tensor.range.count, "seed \(seed)")
                #expect(opened.bytes(of: position).copy().count == tensor.range.count)
                end = tensor.range.upperBound
            }
        }
        #expect(accepted > 0 && refused > 0)
    }

    private func openOrRefuse(_ file: [UInt8]) throws -> SafetensorsFile? {
        do {
            let path = "\(folder.path)/mutant"
            try writeFile(file, to: path)
            return try SafetensorsFile(opening: path)
        } catch let error as CambiumError {
            #expect(error.code != .io && !error.message.isEmpty)
            return nil
        }
    }

    private func mutate(_ file: inout [UInt8], _ generator: inout SeededGenerator) {
        let interesting: [UInt8] = [
            0x22, 0x7B, 0x7D, 0x5B, 0x5D, 0x2C, 0x3A, 0x5C, 0x30, 0x39, 0x2D,
        ]
        let place = Int.random(in: 0..<file.count, using: &generator)
        switch Int.random(in: 0..<5, using: &generator) {
        case 0: file[place] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
        case 1: file[place] = interesting.randomElement(using: &generator) ?? 0
        case 2: file.insert(interesting.randomElement(using: &generator) ?? 0, at: place)
        case 3: file.remove(at: place)
        default:
            let end = min(file.count, place + Int.random(in: 1..<20, using: &generator))
            file.insert(contentsOf: file[place..<end], at: place)
        }
        // Most changes of length should get past the length check and into the parser.
        if Bool.random(using: &generator) && file.count > 42 {
            file.replaceSubrange(0..<8, with: littleEndian(file.count - 42))
        }
    }
}
