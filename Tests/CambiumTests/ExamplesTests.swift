import CheckpointSupport
import Foundation
import TestSupport
import Testing

@testable import Cambium

@Suite("Code of the documents")
struct ExamplesTests {
    private static let root = URL(filePath: #filePath).resolvingSymlinksInPath()
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// The Swift code in Markdown and in comments of the API, by file and number within it.
    private static func documented() throws -> [String: String] {
        var found: [String: String] = [:]
        var files: [URL] = []
        for folder in ["", "docs", "docs/decisions"] {
            files += try FileManager.default.contentsOfDirectory(
                at: root.appending(path: folder), includingPropertiesForKeys: nil
            ).filter { $0.pathExtension == "md" }
        }
        let api = root.appending(path: "Sources/Cambium")
        for path in try FileManager.default.subpathsOfDirectory(atPath: api.path)
        where path.hasSuffix(".swift") { files.append(api.appending(path: path)) }
        for file in files {
            let name = file.lastPathComponent
            for (number, block) in blocks(try String(contentsOf: file, encoding: .utf8))
                .enumerated()
            {
                found[number == 0 ? name : "\(name) \(number + 1)"] = block
            }
        }
        return found
    }

    /// What stands between ```` ```swift ```` and the closing fence, without comment marks and imports.
    private static func blocks(_ text: String) -> [String] {
        var blocks: [String] = []
        var lines: [Substring]?
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            let bare = line.drop { $0 == " " }
            let code = bare.hasPrefix("///") ? bare.dropFirst(3).drop { $0 == " " } : bare
            if lines == nil {
                if code == "```swift" { lines = [] }
            } else if code == "```" {
                blocks.append(normal(lines ?? []))
                lines = nil
            } else if !code.hasPrefix("import ") {
                lines?.append(code)
            }
        }
        return blocks
    }

    /// Code as it is compared: how it is indented and where its lines end is for the reader.
    private static func normal(_ lines: some Sequence<Substring>) -> String {
        lines.joined(separator: " ").split(separator: " ").joined(separator: " ")
    }

    /// The examples of this target's source, by name.
    private static func compiled() throws -> [String: String] {
        let source = try String(
            contentsOf: root.appending(path: "Tests/CambiumTests/Examples.swift"), encoding: .utf8)
        var found: [String: String] = [:]
        var name: String?
        var lines: [Substring] = []
        for line in source.split(separator: "\n", omittingEmptySubsequences: false) {
            let code = line.drop { $0 == " " }
            if code.hasPrefix("// EXAMPLE ") {
                name = String(code.dropFirst(11))
                lines = []
            } else if code == "// END", let ended = name {
                found[ended] = normal(lines)
                name = nil
            } else {
                lines.append(code)
            }
        }
        return found
    }

    @Test("is what the tests compile, block by block")
    func same() throws {
        let documented = try Self.documented()
        let compiled = try Self.compiled()
        #expect(documented.count >= 5)
        #expect(documented.keys.sorted() == compiled.keys.sorted())
        for (name, code) in documented { #expect(code == compiled[name], "\(name)") }
    }

    @Test("runs", arguments: Examples.all.keys.sorted())
    func runs(name: String) async throws {
        let directory = try makeScratchDirectory()
        defer { removeTree(directory) }
        for name in ["base", "branch-swahili"] {
            try FileManager.default.copyItem(
                atPath: Checkpoints.peer(name), toPath: directory + "/" + name)
        }
        try Store.create(at: directory + "/models")
        try FileManager.default.copyItem(
            atPath: Checkpoints.path("hf/olmoe/model"), toPath: directory + "/olmoe")
        try Data("{% for one in messages %}{{ one.role }}: {{ one.content }}\n{% endfor %}".utf8)
            .write(to: URL(filePath: directory + "/olmoe/chat_template.jinja"))
        _ = try Store(directory + "/models").commit(
            checkpoint: directory + "/olmoe", Checkpoints.options("olmoe"))
        try Data(Self.tokenizer.utf8).write(to: URL(filePath: directory + "/tokenizer.json"))
        await #expect(processExitsWith: .success) {
            [directory = directory as String, name = name as String] in
            let moved = FileManager.default.changeCurrentDirectoryPath(directory)
            try #require(moved)
            let example = try #require(Examples.all[name])
            try await example()
        }
    }

    /// Letters and the mark of a space, one token each.
    private static let tokenizer: String = {
        let vocabulary = Array("Onceupoatime\u{120}").reduce(into: [Character]()) {
            if !$0.contains($1) { $0.append($1) }
        }
        let entries = vocabulary.enumerated().map { "\"\($1)\": \($0)" }.joined(separator: ", ")
        return """
            {"model": {"type": "BPE", "vocab": {\(entries)}, "merges": []},
             "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "use_regex": true},
             "decoder": {"type": "ByteLevel"}}
            """
    }()
}
