import Checkpoints
import Elements
import Testing

@Suite("single values of a JSON text are changed in place")
struct JSONEditTests {
    private static let text = """
        {
          "metadata": {"total_size": 100, "note": "a \\"num\\": 3"},
          "num": 16,
          "weight_map": {
            "a": "1.safetensors",
            "b": "2.safetensors"
          }
        }

        """

    private func edit(_ text: String = Self.text) -> JSONEdit {
        JSONEdit(Array(text.utf8), source: "config.json", code: .badConfig)
    }

    private func string(_ edit: JSONEdit) -> String { String(decoding: edit.bytes, as: UTF8.self) }

    @Test("a number is replaced, every other byte stays, and back it is the text that was")
    func number() throws {
        var edit = edit()
        #expect(try edit.add(1, to: ["num"]))
        #expect(string(edit) == Self.text.replacing("\"num\": 16", with: "\"num\": 17"))
        #expect(try edit.add(900, to: ["metadata", "total_size"]))
        #expect(string(edit).contains("\"total_size\": 1000,"))
        #expect(try edit.add(-1, to: ["num"]))
        #expect(try edit.add(-900, to: ["metadata", "total_size"]))
        #expect(string(edit) == Self.text)
    }

    @Test("what is not there, or no whole number, is not changed")
    func absent() throws {
        var edit = edit()
        for path in [
            ["none"], ["metadata", "num"], ["num", "inner"], ["metadata"], ["weight_map", "a"],
        ] {
            #expect(try !edit.add(1, to: path))
        }
        #expect(try !edit.append([("c", "d")], to: ["none"]))
        var list = self.edit("[1]")
        #expect(try !list.add(1, to: ["num"]))
        #expect(string(edit) == Self.text)
    }

    @Test("members are added behind the last and taken out again, byte for byte")
    func members() throws {
        var edit = edit()
        #expect(try edit.append([("c", "x\"y"), ("d", "z")], to: ["weight_map"]))
        let value = try JSONValue(parsing: edit.bytes, source: "the text", code: .badConfig)
        #expect(value["weight_map"]?["c"]?.string == "x\"y")
        #expect(value["weight_map"]?["d"]?.string == "z")
        #expect(try edit.remove(["d", "c", "none"], from: ["weight_map"]) == 2)
        #expect(string(edit) == Self.text)
        #expect(try edit.remove(["b"], from: ["weight_map"]) == 1)
        #expect(!string(edit).contains("2.safetensors"))
    }

    @Test(
        "a damaged text is refused, and a number that cannot grow",
        arguments: [
            "", "{", "{\"num\": 1", "{\"num\": 1} x", "{\"num\" 1}",
            "{\"num\": 9223372036854775807}",
        ])
    func damaged(text: String) {
        var edit = edit(text)
        #expect(throws: CambiumError.self) { try edit.add(1, to: ["num"]) }
    }
}
