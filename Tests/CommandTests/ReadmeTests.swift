import ArgumentParser
import CheckpointSupport
import Foundation
import TestSupport
import Testing

@testable import CambiumCommand

@Suite("The README's commands")
struct ReadmeTests {
    private static let root = URL(filePath: #filePath).resolvingSymlinksInPath()
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// What stands behind `$ ` in blocks of code, in order.
    private static func commands() throws -> [String] {
        try code(in: text("README.md")).filter { $0.hasPrefix("$ ") }.map {
            String($0.dropFirst(2))
        }
    }

    private static func text(_ path: String) throws -> String {
        try String(contentsOf: root.appending(path: path), encoding: .utf8)
    }

    /// The lines of all blocks of code, fenced or indented.
    private static func code(in text: String) -> [String] {
        var isFenced = false
        var lines: [String] = []
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            if line.hasPrefix("```") {
                isFenced.toggle()
            } else if isFenced || line.hasPrefix("    ") {
                lines.append(line.drop { $0 == " " }.description)
            }
        }
        return lines
    }

    @Test("no command of the README is left out of the run")
    func allRun() throws {
        let left = try Self.code(in: Self.text("README.md")).filter { $0.hasPrefix("cambium ") }
        #expect(left.isEmpty, "begin these with `$ `: \(left)")
    }

    @Test("commands in the documents are such as the program understands")
    func documents() throws {
        let folder = Self.root.appending(path: "docs").path
        let names = try FileManager.default.contentsOfDirectory(atPath: folder)
            .filter { $0.hasSuffix(".md") }.map { "docs/\($0)" }
        #expect(names.count > 5)
        // A file begins with the words of the last.
        let known = Set(CambiumRoot.pages + ["reserve"])
        for name in names + ["README.md"] {
            let text = try Self.text(name)
            for line in Self.code(in: text) where line.hasPrefix("cambium ") {
                for words in ShellLine.commands(in: line) where words.first == "cambium" {
                    #expect(throws: Never.self, "\(name): \(line)") {
                        try CambiumRoot.parseAsRoot(Array(words.dropFirst()))
                    }
                }
            }
            // Between backquotes words may stand for others, but not the command.
            for match in text.matches(of: #/`cambium ([a-z][a-z-]*)/#) {
                #expect(known.contains(String(match.1)), "\(name): \(match.0)")
            }
        }
    }

    @Test("all go through in one directory, one after the other")
    func run() throws {
        let session = try Session()
        try prepare(session)
        // Training for some steps instead of seconds; what runs beside is waited for.
        let lines = try Self.commands().map { line in
            line.replacing(/--seconds \d+/, with: "--steps 2").replacing(#/ &$/#, with: "")
        }
        #expect(lines.count > 25)
        let script = (["set -eu"] + lines).joined(separator: "\n")
        var environment = ProcessInfo.processInfo.environment
        environment.removeValue(forKey: "CAMBIUM_STORE")
        let folder = URL(filePath: try Session.program).deletingLastPathComponent().path
        environment["PATH"] = "\(folder):\(environment["PATH"] ?? "/usr/bin:/bin")"
        let output = session.path("output.txt")
        let end = try RunningProgram(
            "/bin/bash", ["-xc", script + "\n"], environment: environment,
            directory: session.directory, output: .file(output), errors: .descriptor(1)
        ).wait()
        let said = try String(contentsOfFile: output, encoding: .utf8)
        #expect(end.status == 0 && !end.wasKilled, "\(said.suffix(1_500))")
        #expect(said.contains("no faults"))
    }

    /// The files that the commands name.
    private func prepare(_ session: Session) throws {
        let sample = Self.root.appending(path: "tools/sample")
        let text = sample.appending(path: "text").path
        for name in try FileManager.default.contentsOfDirectory(atPath: text) {
            for file in ["train.txt", "test.txt"] {
                let bytes = try Data(contentsOf: URL(filePath: "\(text)/\(name)/\(file)"))
                try FileManager.default.createDirectory(
                    atPath: session.path(name), withIntermediateDirectories: true)
                try bytes.prefix(8_000).write(to: URL(filePath: session.path("\(name)/\(file)")))
            }
        }
        let config: [String: Any] = [
            "architecture": "peer-lm", "vocab_size": 256, "hidden_size": 16, "num_layers": 2,
            "num_heads": 2, "context_length": 64, "ffn_size": 32, "rms_norm_eps": 1e-5,
            "rope_theta": 10000, "peer_layers": [1],
            "peer": ["sub_keys": 8, "heads": 1, "top_k": 2, "key_size": 8],
            "hash": ["layers": [0], "orders": [2, 3], "table_size": 256],
        ]
        try JSONSerialization.data(withJSONObject: config).write(
            to: URL(filePath: session.path("config.json")))
        // The fine-tune differs in the embedding only, so that it merges.
        for name in ["olmoe", "finetune"] {
            try FileManager.default.copyItem(
                atPath: GeneratedCheckpoints.path("hf/olmoe/model"), toPath: session.path(name))
        }
        let weights = URL(filePath: session.path("finetune/model.safetensors"))
        var file = try Data(contentsOf: weights)
        file.replaceSubrange(file.count - 8..<file.count, with: [0, 0, 0x80, 0x3F, 0, 0, 0, 0x3F])
        try FileManager.default.removeItem(at: weights)
        try file.write(to: weights)
        // Two lines of work that disagree about an expert, and about its row of the first router.
        for (name, value) in [("law", 0.5), ("tax", 0.25)] as [(String, Float)] {
            let folder = session.path(name)
            try FileManager.default.copyItem(atPath: session.path("finetune"), toPath: folder)
            for (tensor, row) in [
                ("model.layers.1.mlp.experts.7.up_proj.weight", 0),
                ("model.layers.0.mlp.gate.weight", 3),
            ] {
                try replace(row, of: tensor, by: value, in: folder + "/model.safetensors")
            }
        }
        func noise(_ letters: ClosedRange<UInt8>, _ count: Int) -> Data {
            var state: UInt32 = 7
            return Data(
                (0..<count).map { _ in
                    state = state &* 1_664_525 &+ 1_013_904_223
                    return letters.lowerBound + UInt8(state >> 24) % UInt8(letters.count)
                })
        }
        for (name, letters, count) in [
            ("general.txt", 97...104, 8_192), ("swahili.txt", 200...203, 1_024),
            ("code.txt", 210...213, 1_024), ("more.txt", 97...122, 2_000),
        ] as [(String, ClosedRange<UInt8>, Int)] {
            try noise(letters, count).write(to: URL(filePath: session.path(name)))
        }
        try patch().write(to: URL(filePath: session.path("round2.safetensors")))
    }

    /// Writes a number into the whole row of a matrix of F32.
    private func replace(_ row: Int, of tensor: String, by value: Float, in path: String) throws {
        var file = try Data(contentsOf: URL(filePath: path))
        let length = file.prefix(8).enumerated().reduce(0) {
            $0 + Int($1.element) << (8 * $1.offset)
        }
        let entry = try #require(try object(Data(file[8..<8 + length]))[tensor] as? [String: Any])
        let shape = try #require(entry["shape"] as? [Int])
        let offsets = try #require(entry["data_offsets"] as? [Int])
        let start = 8 + length + offsets[0] + 4 * row * shape[1]
        let bytes = (0..<4).map { UInt8(truncatingIfNeeded: value.bitPattern >> (8 * $0)) }
        file.replaceSubrange(
            start..<start + 4 * shape[1],
            with: (0..<shape[1]).flatMap { _ in bytes })
        try FileManager.default.removeItem(atPath: path)
        try file.write(to: URL(filePath: path))
    }

    /// Two rows of the embedding.
    private func patch() throws -> Data {
        let name = "model.embed_tokens.weight"
        let header =
            #"{"\#(name)":{"dtype":"F32","shape":[2,64],"data_offsets":[0,512]},"#
            + #""\#(name).rows":{"dtype":"I64","shape":[2],"data_offsets":[512,528]}}"#
        let length = (0..<8).map { UInt8(truncatingIfNeeded: header.utf8.count >> (8 * $0)) }
        let rows = [3, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0] as [UInt8]
        return Data(length) + Data(header.utf8) + Data(count: 512) + Data(rows)
    }
}
