import Elements
import Foundation
import Testing

@testable import Templates

/// What Python's jinja2 made of templates (`tools/golden/templates.py`).
struct Golden {
    static let folder = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "Fixtures")
    /// 2026-09-21 14:13:20, which Python took for now as well.
    static let clock = TemplateClock(seconds: 1_790_000_000)
    static let families = [
        "coder", "deepseek", "gemma", "glm", "granite", "harmony", "kimi", "llama", "mistral",
        "olmoe", "phi", "qwen",
    ]

    /// Read once.
    private static let shared = Result { try Golden(reading: ()) }

    let data: TemplateData

    init() throws { self = try Self.shared.get() }

    private init(reading _: Void) throws {
        let bytes = [UInt8](try Data(contentsOf: Self.folder.appending(path: "rendered.json")))
        data = try TemplateData(parsing: bytes, source: "rendered.json", code: .badInput)
    }

    static func family(_ name: String) throws -> String {
        try String(
            contentsOf: folder.appending(path: "Families/\(name).jinja"), encoding: .utf8)
    }

    func variables(_ context: TemplateData?) -> [(String, TemplateData)] {
        context?.object?.map { ($0.name, $0.value) } ?? []
    }
}

/// Whether two texts are the same scalars; `==` takes canonically equivalent ones for equal.
func areIdentical(_ one: String, _ two: String) -> Bool {
    one.unicodeScalars.elementsEqual(two.unicodeScalars)
}

@Suite("Templates give what Python's jinja2 gives")
struct GoldenTests {
    @Test("in the style of every family, for every conversation", arguments: Golden.families)
    func families(_ name: String) throws {
        let golden = try Golden()
        let template = try Template(Golden.family(name))
        let cases = golden.data["families"]?.array?.filter { $0["family"]?.string == name } ?? []
        #expect(cases.count > 20)
        for one in cases {
            var variables = golden.variables(one["options"])
            variables.append(("bos_token", .string("<s>")))
            variables.append(("eos_token", .string("</s>")))
            let conversation = one["conversation"]?.string ?? ""
            variables.append(
                ("messages", try #require(golden.data["conversations"]?[conversation])))
            if one["hasTools"] == .bool(true), let tools = golden.data["tools"] {
                variables.append(("tools", tools))
            }
            try check(one, template, variables)
        }
    }

    @Test("of random templates")
    func random() throws {
        let golden = try Golden()
        let cases = golden.data["random"]?.array ?? []
        #expect(cases.count > 200)
        for one in cases {
            let source = try #require(one["template"]?.string)
            guard let template = try? Template(source) else {
                #expect(one["error"] != nil, "\(source)")
                continue
            }
            try check(one, template, golden.variables(golden.data["context"]))
        }
    }

    /// The same text, or an error on both sides.
    private func check(
        _ one: TemplateData, _ template: Template, _ variables: [(String, TemplateData)]
    ) throws {
        do {
            let text = try template.render(variables, clock: Golden.clock)
            let expected = one["text"]?.string
            #expect(expected.map { areIdentical($0, text) } ?? false, "\(one): \(text)")
        } catch let error as CambiumError {
            #expect(one["error"] != nil || error.code == .unsupported, "\(one): \(error)")
            #expect(error.message.contains("line "))
        }
    }

    @Test("in the spelling of numbers")
    func numbers() throws {
        for one in try Golden().data["numbers"]?.array ?? [] {
            let texts = (one.array ?? []).compactMap(\.string)
            let number = try #require(Self.number(texts[0]))
            #expect(number.pythonText == texts[1])
            #expect(number.decimals(3) == texts[2])
            #expect(Double(number.decimals(2))?.pythonText == texts[3])
        }
    }

    private static func number(_ hex: String) -> Double? { Double(hex) }
}
