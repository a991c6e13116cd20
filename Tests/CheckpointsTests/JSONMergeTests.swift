import Elements
import Testing

@Suite("versions of a JSON object merge member by member")
struct JSONMergeTests {
    private static let base = """
        {
          "eps": 1e-05,
          "rope": {"type": "none", "factor": 2.50},
          "size": 8
        }

        """
    private static let parts = JSONMerge.Parts(
        "codes", frame: ["method"], mark: ("method", "own"))

    /// Two sides and one base, as a merge of two branches.
    private func merge(
        _ base: String, _ one: String, _ two: String, choose side: Int? = nil
    ) throws -> JSONMerge {
        func merge(_ sides: [String]) throws -> JSONMerge {
            try JSONMerge(
                bases: [Array(base.utf8)], sides: sides.map { Array($0.utf8) },
                source: "config.json", code: .badConfig, parts: Self.parts,
                standing: { bases, sides in
                    if sides[0] == sides[1] || sides[1] == bases[0] { return [0] }
                    return sides[0] == bases[0] ? [1] : [0, 1]
                }, choose: { _ in side })
        }
        let merged = try merge([one, two])
        let turned = try merge([two, one])
        #expect(turned.contradictions == merged.contradictions)
        if side == nil, merged.contradictions.isEmpty { #expect(turned.bytes == merged.bytes) }
        return merged
    }

    private func merge(
        _ one: String, _ two: String, choose side: Int? = nil
    ) throws -> JSONMerge { try merge(Self.base, one, two, choose: side) }

    private func text(_ merge: JSONMerge) -> String { String(decoding: merge.bytes, as: UTF8.self) }

    @Test("what one side changed is taken in its spelling, and every other byte stays")
    func sides() throws {
        let one = Self.base.replacing("\"size\": 8", with: "\"size\": 16")
        let two = Self.base.replacing("2.50", with: "4.0")
            .replacing("\"eps\": 1e-05,\n", with: "\"eps\": 1e-05,\n  \"more\": [1,  2],\n")
        let merged = try merge(one, two)
        #expect(merged.contradictions == [] && merged.chosen == [])
        let all = text(merged)
        let read = try JSONValue(parsing: merged.bytes, source: "", code: .badConfig)
        #expect(
            read == [
                "eps": 1e-05, "rope": ["type": "none", "factor": 4.0], "size": 16, "more": [1, 2],
            ])
        #expect(all.contains("{\"type\": \"none\", \"factor\": 4.0}") && all.contains("[1,  2]"))
        #expect(all.contains("\"eps\": 1e-05") && all.hasSuffix("\n}\n"))
        // A side that has the outcome is the outcome.
        #expect(try text(merge(Self.base, two)) == two)
        #expect(
            try text(merge(one, Self.base.replacing("  ", with: " "))).contains("\"size\": 16"))
        let same = Self.base.replacing("2.50", with: "4.0")
        #expect(try text(merge(same, two)) == two)
    }

    @Test("members go where a side took them out, the first and the last too")
    func removed() throws {
        let first = Self.base.replacing("\n  \"eps\": 1e-05,", with: "")
        let last = Self.base.replacing(",\n  \"size\": 8", with: "")
        let both = try merge(first, last)
        #expect(
            text(both) == "{\n  \"rope\": {\"type\": \"none\", \"factor\": 2.50}\n}\n")
        let empty = try merge(
            "{\"a\": 1, \"b\": 2}", "{\"a\": 1}", "{\"b\": 2}")
        #expect(text(empty) == "{}")
        let grown = try merge("{}", "{\"a\": 1}", "{ \"b\": 2 }")
        #expect(
            try JSONValue(parsing: grown.bytes, source: "", code: .badConfig) == ["a": 1, "b": 2])
    }

    @Test("a contradiction is told by its path, and the side that is chosen counts there alone")
    func contradiction() throws {
        let one = Self.base.replacing("2.50", with: "3").replacing("8", with: "9")
        let two = Self.base.replacing("2.50", with: "4").replacing("none", with: "yarn")
        #expect(try merge(one, two).contradictions == ["rope.factor"])
        let chosen = try merge(one, two, choose: 1)
        #expect(chosen.contradictions == [] && chosen.chosen == ["rope.factor"])
        #expect(
            try JSONValue(parsing: chosen.bytes, source: "", code: .badConfig)
                == ["eps": 1e-05, "rope": ["type": "yarn", "factor": 4], "size": 9])
        let gone = Self.base.replacing(
            "\n  \"rope\": {\"type\": \"none\", \"factor\": 2.50},", with: "")
        #expect(try merge(gone, two).contradictions == ["rope"])
        // Numbers of more digits than a float has.
        let whole = "{\"n\": 100000000000000000000}"
        #expect(
            try merge(whole, whole.replacing("0}", with: "1}"), whole.replacing("0}", with: "2}"))
                .contradictions == ["n"])
    }

    @Test("an object that lists parts goes with the last of them")
    func parts() throws {
        let none = "{\"a\": 1}"
        func codes(_ parts: String) -> String {
            "{\"a\": 1, \"codes\": {\"method\": \"own\"\(parts)}}"
        }
        let one = ", \"one\": 8"
        let two = ", \"two\": 4"
        #expect(try text(merge(none, codes(one), codes(two))) == codes(one + two))
        // As reverts ask: the commit that began one part, behind which another came.
        #expect(try text(merge(codes(one), codes(one + two), none)) == codes(two))
        #expect(try text(merge(codes(one), codes(one), none)) == none)
        #expect(try merge(codes(one), codes(", \"one\": 4"), none).contradictions == ["codes.one"])
        let other = codes(two).replacing("own", with: "foreign")
        #expect(try !merge(none, codes(one), other).contradictions.isEmpty)
        #expect(
            try merge(codes(one), codes(one + two).replacing("own", with: "b"), none)
                .contradictions == ["codes"])
    }

    @Test("what is no JSON object is refused", arguments: ["", "[1]", "{\"a\": 1", "{} {}"])
    func odd(text: String) {
        #expect(throws: CambiumError.self) { try merge("{}", text, "{\"a\": 1}") }
        #expect(throws: CambiumError.self) {
            try merge("{}", String(repeating: "[", count: 100_000), "{}")
        }
    }
}
