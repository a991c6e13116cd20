import Checkpoints
import Elements
import TestSupport
import Testing

@Suite("Safetensors headers")
struct SafetensorsHeaderTests {
    static let ab: [UInt8] = [0x61, 0x62]

    struct Case: Sendable, CustomTestStringConvertible {
        let name: String
        let file: [UInt8]
        let code: CambiumError.Code?
        /// Whether safetensors 0.8 for Python opens it too.
        let python: Bool
        var testDescription: String { name }

        init(
            _ name: String, _ header: String, data: [UInt8] = SafetensorsHeaderTests.ab,
            _ code: CambiumError.Code?, python: Bool? = nil
        ) {
            self.init(name, file: safetensors(header, data: data), code, python: python)
        }

        init(_ name: String, file: [UInt8], _ code: CambiumError.Code?, python: Bool? = nil) {
            self.name = name
            self.file = file
            self.code = code
            self.python = python ?? (code == nil)
        }
    }

    static let cases: [Case] = accepted + badText + badFields + badPlaces + badFrames

    static let accepted: [Case] = [
        Case("one tensor", "{\(member())}", nil),
        Case("white space after the object", "{\(member())}\n\t ", nil),
        Case("no tensor", "{}", data: [], nil),
        Case("no dimensions", "{\(member("a", "U16", "[]"))}", nil),
        Case("an escaped name", "{\(member(#"a\/\ud83d\ude00"#))}", nil),
        Case("metadata of null", "{\"__metadata__\":null,\(member())}", nil),
        Case(
            "tensors out of order",
            "{\(member("b", "U8", "[1]", "[1,2]")),\(member("a", "U8", "[1]", "[0,1]"))}", nil),
        Case(
            "empty tensors between others",
            "{\(member("b")),\(member("a", "U8", "[0]", "[0,0]")),"
                + "\(member("c", "F32", "[3,0]", "[2,2]"))}", nil),
        Case(
            "zero before huge", "{\(member("a", "U8", "[0,9999999999,9999999999]", "[0,0]"))}",
            data: [], nil),
    ]

    static let badText: [Case] = [
        Case("white space before the object", " {\(member())}", .badHeader, python: true),
        Case("a byte order mark", "\u{FEFF}{\(member())}", .badHeader),
        Case("an array", "[]", data: [], .badHeader),
        Case("an empty header", "", data: [], .badHeader),
        Case("text after the object", "{\(member())}x", .badHeader),
        Case("a NUL after the object", "{\(member())}\0", .badHeader),
        Case("a comma too many", "{\(member()),}", .badHeader),
        Case("a comment", "{/**/\(member())}", .badHeader),
        Case("an object cut short", "{\"a\":{\"dtype\":", .badHeader),
        Case("a control character in a string", "{\(member("a\u{1}"))}", .badHeader),
        Case("half a surrogate pair", "{\(member(#"a\ud800"#))}", .badHeader),
        Case("a surrogate pair pulled apart", "{\(member(#"a\ud83d \ude00"#))}", .badHeader),
        Case("an unknown escape", "{\(member(#"a\x"#))}", .badHeader),
        Case(
            "invalid UTF-8",
            file: safetensors("{\(member("a?"))}", data: ab).map { $0 == 0x3F ? 0xFF : $0 },
            .badHeader),
        Case(
            "a thousand brackets",
            "{\(member("a", "U8", String(repeating: "[", count: 1000)))}", .badHeader),
        Case("a million brackets", String(repeating: "{\"a\":", count: 1_000_000), .badHeader),
    ]

    static let badFields: [Case] = [
        Case("two tensors of one name", "{\(member()),\(member())}", .duplicateName, python: true),
        Case(
            "names that differ in normal form only",
            "{\(member("\u{E9}", "U8", "[1]", "[0,1]")),\(member("e\u{301}", "U8", "[1]", "[1,2]"))}",
            .duplicateName, python: true),
        Case(
            "two of one field", "{\"a\":{\"dtype\":\"U8\",\"dtype\":\"U8\"}}", .duplicateName,
            python: false),
        Case(
            "metadata twice", "{\"__metadata__\":{},\"__metadata__\":{},\(member())}",
            .duplicateName, python: false),
        Case(
            "two metadata keys of one name",
            #"{"__metadata__":{"a":"b","a":"c"},"#
                + "\(member())}", .duplicateName, python: true),
        Case("metadata of a number", "{\"__metadata__\":{\"a\":1},\(member())}", .badHeader),
        Case("metadata of text", "{\"__metadata__\":\"a\",\(member())}", .badHeader),
        Case(
            "an unknown field", #"{"a":{"x":1,"dtype":"U8","shape":[2],"data_offsets":[0,2]}}"#,
            .badHeader, python: true),
        Case("a missing field", #"{"a":{"dtype":"U8","shape":[2]}}"#, .badHeader),
        Case("a tensor that is an array", #"{"a":["U8",[2],[0,2]]}"#, .badHeader, python: true),
        Case("an unknown dtype", "{\(member("a", "I4"))}", .unknownType),
        Case("a dtype in small letters", "{\(member("a", "u8"))}", .unknownType),
        Case("an empty name", "{\(member(""))}", .badHeader, python: true),
        Case("a NUL in a name", "{\(member(#"a\u0000"#))}", .badHeader, python: true),
        Case(
            "an escape sequence in a name", "{\(member(#"a\u001b[2J"#))}", .badHeader, python: true),
        Case("a fraction", "{\(member("a", "U8", "[2.0]"))}", .badHeader),
        Case("an exponent", "{\(member("a", "U8", "[2e0]"))}", .badHeader),
        Case("a negative dimension", "{\(member("a", "U8", "[-2]"))}", .badHeader),
        Case("a negative zero", "{\(member("a", "U8", "[-0]", "[0,0]"))}", data: [], .badHeader),
        Case("a leading zero", "{\(member("a", "U8", "[02]"))}", .badHeader),
        Case("a dimension that is text", "{\(member("a", "U8", "[\"2\"]"))}", .badHeader),
        Case(
            "a dimension of 2^64", "{\(member("a", "U8", "[0,18446744073709551616]", "[0,0]"))}",
            data: [], .badHeader),
        Case(
            "a dimension of 2^63", "{\(member("a", "U8", "[0,9223372036854775808]", "[0,0]"))}",
            data: [], .badHeader, python: true),
        Case(
            "a product that overflows",
            "{\(member("a", "U8", "[4294967296,4294967296]", "[0,0]"))}", data: [], .badHeader),
        Case("half a byte", "{\(member("a", "F4", "[3]", "[0,2]"))}", .badHeader),
    ]

    static let badPlaces: [Case] = [
        Case("fewer bytes than the shape takes", "{\(member("a", "U8", "[3]"))}", .badHeader),
        Case("offsets in reverse", "{\(member("a", "U8", "[2]", "[2,0]"))}", .badHeader),
        Case("three offsets", "{\(member("a", "U8", "[2]", "[0,2,3]"))}", .badHeader),
        Case("a hole at the start", "{\(member("a", "U8", "[1]", "[1,2]"))}", .hole),
        Case(
            "a hole between tensors",
            "{\(member("a", "U8", "[1]", "[0,1]")),\(member("b", "U8", "[1]", "[2,3]"))}",
            data: [1, 2, 3], .hole),
        Case("bytes after the last tensor", "{\(member())}", data: [1, 2, 3], .hole),
        Case(
            "overlapping tensors", "{\(member()),\(member("b", "U8", "[2]", "[1,3]"))}",
            data: [1, 2, 3], .overlap),
        Case("two tensors in one place", "{\(member()),\(member("b"))}", .overlap),
        Case(
            "an empty tensor inside another", "{\(member()),\(member("b", "U8", "[0]", "[1,1]"))}",
            .overlap),
        Case("data beyond the file", "{\(member())}", data: [1], .truncated),
    ]

    static let badFrames: [Case] = [
        Case("an empty file", file: [], .truncated),
        Case("seven bytes", file: Array("1234567".utf8), .truncated),
        Case(
            "a header length beyond the file", file: [100, 0, 0, 0, 0, 0, 0, 0, 0x7B, 0x7D],
            .truncated),
        Case(
            "a header length above 100 MB", file: [1, 225, 245, 5, 0, 0, 0, 0, 0x7B, 0x7D],
            .tooLarge),
        Case("a header length of 2^63", file: [0, 0, 0, 0, 0, 0, 0, 128, 0x7B, 0x7D], .tooLarge),
    ]

    @Test("a header is accepted or refused with the right code", arguments: cases)
    func verdict(_ example: Case) {
        #expect(code { try open(example.file) } == example.code)
    }

    @Test(
        "Python's safetensors gives the verdict noted, also where ours is stricter",
        .enabled(if: Python.hasSafetensors, "without Python's safetensors"))
    func agreesWithPython() throws {
        let folder = ScratchFolder()
        for (number, example) in Self.cases.enumerated() {
            try folder.write("\(number)", example.file)
        }
        let program = """
            import sys, safetensors
            for i in range(int(sys.argv[2])):
                try:
                    safetensors.safe_open(f"{sys.argv[1]}/{i}", framework="np")
                    print("yes")
                except Exception:
                    print("no")
            """
        let verdicts = try Python.run(program, folder.path, "\(Self.cases.count)").split(
            separator: "\n")
        try #require(verdicts.count == Self.cases.count)
        for (example, verdict) in zip(Self.cases, verdicts) {
            #expect((verdict == "yes") == example.python, "\(example.name)")
        }
    }

    @Test("tensors come in the order of the data, with names, shapes, metadata and bytes")
    func reads() throws {
        let header =
            #"{"__metadata__":{"z":"1","format":"pt"},"#
            + "\(member("b", "U8", "[1,3]", "[4,7]")),\(member("a", "F16", "[2]", "[0,4]"))}"
        let file = try open(safetensors(header, data: [1, 2, 3, 4, 5, 6, 7]))
        #expect(file.header.metadata == ["z": "1", "format": "pt"])
        #expect(file.header.metadata?["format"] == "pt")
        #expect(file.header.tensors.map(\.name) == ["a", "b"])
        #expect(file.header.tensors.map(\.shape.description) == ["F16[2]", "U8[1, 3]"])
        #expect(file.bytes(of: 0).copy() == [1, 2, 3, 4])
        #expect(file.bytes(of: 1).copy() == [5, 6, 7])
    }

    @Test("the message names the tensor, the file and both values")
    func message() throws {
        let error = #expect(throws: CambiumError.self) {
            try open(
                safetensors("{\(member("layer.weight", "F32", "[3]", "[0,2]"))}", data: [1, 2]))
        }
        let message = try #require(error?.message)
        #expect(message.contains("\"layer.weight\""))
        #expect(message.contains("x.safetensors is F32[3], which takes 12 bytes"))
        #expect(message.contains("[0, 2] span 2"))
    }

    @Test("a hostile name is escaped and cut in the message")
    func hostileName() throws {
        let name = #"\u001b[31m"# + String(repeating: "x", count: 10_000)
        let error = #expect(throws: CambiumError.self) {
            try open(safetensors("{\(member(name))}", data: [1, 2]))
        }
        let message = try #require(error?.message)
        #expect(message.contains(#"\u001b[31m"#) && !message.utf8.contains(0x1B))
        #expect(message.count < 400)
    }

    @Test(
        "every dtype has the name and the width that Python knows", arguments: ElementType.allCases)
    func types(_ type: ElementType) throws {
        let bytes = type.bitWidth
        let file = try open(
            safetensors(
                "{\(member("a", type.name, "[8]", "[0,\(bytes)]"))}",
                data: Array(repeating: 0, count: bytes)))
        #expect(file.header.tensors[0].shape == TensorShape(type, [8]))
        guard Python.hasSafetensors else { return }
        let program = """
            import sys, struct, json, safetensors
            h = json.dumps({"a": {"dtype": sys.argv[1], "shape": [8], "data_offsets": [0, int(sys.argv[2])]}})
            safetensors.deserialize(struct.pack("<Q", len(h)) + h.encode() + bytes(int(sys.argv[2])))
            """
        #expect(throws: Never.self) { try Python.run(program, type.name, "\(bytes)") }
    }
}
