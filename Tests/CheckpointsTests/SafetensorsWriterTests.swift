import Checkpoints
import Elements
import Files
import Foundation
import TestSupport
import Testing

@Suite("Safetensors writing")
struct SafetensorsWriterTests {
    let folder = ScratchFolder()
    var target: String { "\(folder.path)/model.safetensors" }

    @Test("what was written is read back: names, shapes, metadata, bytes")
    func roundTrip() throws {
        let tensors = [
            tensor("z", .f32, [3, 2]), tensor("é \"quoted\" \\", .bf16, [5]),
            tensor("empty", .u8, [0]),
            tensor("scalar", .i64, []), tensor("half bytes", .f4, [4]),
        ]
        try write(tensors, metadata: ["format": "pt", "note": "tab\tand é"], to: target)
        let file = try SafetensorsFile(opening: target)
        #expect(file.header.metadata == ["format": "pt", "note": "tab\tand é"])
        #expect(file.header.tensors.count == tensors.count)
        for (position, read) in file.header.tensors.enumerated() {
            let written = try #require(tensors.first { $0.entry.name == read.name })
            #expect(read.shape == written.entry.shape)
            #expect(file.bytes(of: position).copy() == written.bytes)
        }
    }

    @Test("tensors lie by dtype, the widest first, and then by the bytes of their names")
    func order() throws {
        // As safetensors 0.8 for Python orders its Dtype enumeration.
        let types: [ElementType] = [
            .u64, .i64, .f64, .c64, .f32, .u32, .i32, .bf16, .f16, .u16, .i16, .f8e5m2fnuz,
            .f8e4m3fnuz, .f8e8m0, .f8e4m3, .f8e5m2, .i8, .u8, .f6e3m2, .f6e2m3, .f4, .bool,
        ]
        #expect(Set(types) == Set(ElementType.allCases))
        let tensors = types.reversed().map { tensor("t.\($0.name)", $0, [8]) }
        let names = ["10", "2", "Z", "_", "a", "b", "e\u{302}x", "\u{E9}"]
        try write(tensors + names.reversed().map { tensor($0, .u8, [1]) }, to: target)
        let written = try SafetensorsFile(opening: target).header.tensors
        #expect(written.filter { $0.name.hasPrefix("t.") }.map(\.shape.type) == types)
        #expect(written.filter { !$0.name.hasPrefix("t.") }.map(\.name) == names)
    }

    @Test("a small file has exactly the bytes that Python writes")
    func goldenBytes() throws {
        try write(
            [tensor("y", .u8, []), tensor("x", .f32, [0])], metadata: ["a": "\u{1}\u{7F}\"/"],
            to: target)
        let json =
            #"{"__metadata__":{"a":"\u0001\#u{7F}\"/"},"x":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"#
            + #""y":{"dtype":"U8","shape":[],"data_offsets":[0,1]}}"#
        let padding = String(repeating: " ", count: (8 - json.utf8.count % 8) % 8)
        #expect(try contents(target) == safetensors(json + padding, data: [0]))
    }

    @Test(
        "no tensors and no or empty metadata make a valid file",
        arguments: [nil, [:]] as [HeaderMetadata?])
    func empty(metadata: HeaderMetadata?) throws {
        try write([], metadata: metadata, to: target)
        let file = try SafetensorsFile(opening: target)
        #expect(file.header.tensors.isEmpty && file.header.metadata == metadata)
        #expect(try contents(target).count % 8 == 0)
    }

    @Test(
        "rewriting a checkpoint gives the identical file", arguments: Fixtures.folders)
    func rewrite(name: String) throws {
        let path = Fixtures.path(name)
        let original = try SafetensorsFile(opening: "\(path)/model.safetensors")
        let entries = original.header.tensors.map { TensorEntry($0.name, $0.shape) }
        try SafetensorsWriter.write(
            entries.shuffled(), metadata: original.header.metadata, to: "\(folder.path)/order"
        ) { (_, sink: inout TensorSink) in
            try sink.append([UInt8](repeating: 0, count: sink.remaining).raw)
        }
        try SafetensorsWriter.write(entries, metadata: original.header.metadata, to: target) {
            (position, sink: inout TensorSink) in
            // In pieces, as an export writes experts.
            let bytes = original.bytes(of: position).copy()
            for start in stride(from: 0, to: bytes.count, by: 1000) {
                try sink.append(bytes.raw.extracting(start..<min(bytes.count, start + 1000)))
            }
        }
        #expect(try contents(target) == contents("\(path)/model.safetensors"))
        let reordered = try SafetensorsFile(opening: "\(folder.path)/order").header
        #expect(reordered == original.header)
    }

    @Test(
        "Python's safetensors opens a file of ours and writes the same bytes",
        .enabled(if: Python.hasSafetensors, "without Python's safetensors"))
    func python() throws {
        try write(
            [tensor("b.weight", .f32, [2, 3]), tensor("a", .i64, [4]), tensor("ü", .u8, [3])],
            metadata: ["format": "np"], to: target)
        let program = """
            import sys
            from safetensors import safe_open
            from safetensors.numpy import save_file
            with safe_open(sys.argv[1], framework="np") as f:
                tensors = {name: f.get_tensor(name) for name in f.keys()}
                save_file(tensors, sys.argv[2], metadata=f.metadata())
            print(sorted((n, str(t.dtype), t.shape) for n, t in tensors.items()))
            """
        let output = try Python.run(program, target, "\(folder.path)/python")
        #expect(
            output
                == "[('a', 'int64', (4,)), ('b.weight', 'float32', (2, 3)), ('ü', 'uint8', (3,))]\n"
        )
        #expect(try contents(target) == contents("\(folder.path)/python"))
    }

    @Test("names and shapes that the format cannot hold are refused, and nothing is left behind")
    func refusals() throws {
        let shape = TensorShape(.u8, [1])
        let cases: [([TensorEntry], CambiumError.Code)] = [
            ([TensorEntry("", shape)], .unsupported),
            ([TensorEntry("a\nb", shape)], .unsupported),
            ([TensorEntry("__metadata__", shape)], .duplicateName),
            ([TensorEntry("a", shape), TensorEntry("a", shape)], .duplicateName),
            ([TensorEntry("a", TensorShape(.f4, [3]))], .unsupported),
            ([TensorEntry("a", TensorShape(.u8, [-1]))], .unsupported),
            ([TensorEntry(String(repeating: "a", count: 100_000_001), shape)], .tooLarge),
            (
                [
                    TensorEntry("a", TensorShape(.u8, [.max])),
                    TensorEntry("b", TensorShape(.u8, [.max])),
                ], .unsupported
            ),
        ]
        for (entries, expected) in cases {
            let found = code {
                try write(entries.map { ($0, []) }, to: target)
            }
            #expect(found == expected)
        }
        #expect(try folder.entries.isEmpty)
    }

    @Test("a failing source leaves the old file as it was and no temporary one")
    func sourceFails() throws {
        struct Lost: Error, Equatable {}
        try write([tensor("a", .u8, [3])], to: target)
        let before = try contents(target)
        let entries = [tensor("a", .u8, [3]).entry, tensor("b", .u8, [3]).entry]
        #expect(throws: Lost()) {
            try SafetensorsWriter.write(entries, to: target) {
                (position, sink: inout TensorSink) in
                guard position == 0 else { throw Lost() }
                try sink.append([1, 2, 3].raw)
            }
        }
        #expect(try contents(target) == before)
        #expect(try folder.entries == ["model.safetensors"])
    }

    @Test("a missing directory is .notFound, a directory in the file's place .io")
    func badTargets() throws {
        #expect(code { try writeFile([1], to: "\(folder.path)/none/x") } == .notFound)
        try FileManager.default.createDirectory(
            atPath: "\(folder.path)/taken", withIntermediateDirectories: false)
        #expect(code { try writeFile([1], to: "\(folder.path)/taken") } == .io)
        #expect(try folder.entries == ["taken"])
    }

    @Test("bytes beyond a tensor's shape are a programmer's mistake")
    func tooManyBytes() async {
        await #expect(processExitsWith: .failure) {
            let folder = ScratchFolder()
            let (entry, _) = tensor("a", .u8, [3])
            try write([(entry, [1, 2, 3, 4])], to: "\(folder.path)/x")
        }
    }

    @Test("a process killed while it writes leaves the old file as it was")
    func killed() async throws {
        try write([tensor("a", .u8, [3])], to: target)
        let before = try contents(target)
        await #expect(processExitsWith: .signal(SIGKILL)) { [path = target as String] in
            let entries = [tensor("a", .u8, [1 << 20]).entry, tensor("b", .u8, [1]).entry]
            try SafetensorsWriter.write(entries, to: path) {
                (position, sink: inout TensorSink) in
                if position == 1 { kill(getpid(), SIGKILL) }
                try sink.append([UInt8](repeating: 1, count: sink.remaining).raw)
            }
        }
        #expect(try contents(target) == before)
        let left = try folder.entries.filter { $0 != "model.safetensors" }
        #expect(left.count == 1 && left[0].hasPrefix(".cambium-") && left[0].hasSuffix(".tmp"))
    }

    @Test("a limit on the length of files is .limit and leaves nothing behind")
    func limit() async {
        await #expect(processExitsWith: .success) {
            let folder = ScratchFolder()
            try write([tensor("a", .u8, [10])], to: "\(folder.path)/x")
            let before = try contents("\(folder.path)/x")
            var limit = rlimit(rlim_cur: 1 << 16, rlim_max: 1 << 16)
            let limited = unsafe setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
            try #require(limited == 0)
            _ = signal(SIGXFSZ, SIG_IGN)
            let big = tensor("a", .u8, [1 << 20])
            try #require(code { try write([big], to: "\(folder.path)/x") } == .limit)
            try #require(try contents("\(folder.path)/x") == before)
            try #require(try folder.entries == ["x"])
        }
    }
}
