import Foundation
import TestSupport
import Testing

@testable import Cambium

/// The trained checkpoints and texts beside the repository; tests that need them are disabled when
/// they are absent.
enum Checkpoints {
    private static let root = URL(filePath: #filePath).resolvingSymlinksInPath()
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "shared")

    static let arePresent = FileManager.default.fileExists(
        atPath: root.appending(path: "checkpoints/peer-lm/golden.json").path)

    static func peer(_ name: String) -> String {
        root.appending(path: "checkpoints/peer-lm/\(name)").path
    }

    /// Folders of every architecture and form, relative to the checkpoints.
    static let transformers: [String] =
        architectures
        .flatMap { name in ["model", "model_fused", "model_bf16"].map { "hf/\(name)/\($0)" } }

    static let architectures = ["olmoe", "mixtral", "qwen3_moe", "deepseek_v3", "gpt_oss"]

    static func path(_ relative: String) -> String {
        root.appending(path: "checkpoints/\(relative)").path
    }

    static func text(_ domain: String) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: root.appending(path: "data/stream/\(domain)/test.txt")))
    }

    /// The expert ids that a branch trained, by layer.
    static func selected(_ branch: String) throws -> [String: [Int]] {
        let file = URL(filePath: peer(branch)).appending(path: "selected.json")
        return try JSONDecoder().decode([String: [Int]].self, from: Data(contentsOf: file))
    }

    static let signature = Signature(author: "test", time: 1_790_000_000)

    /// A store with base on main and the two branches.
    static func threeBranches(in directory: String) throws -> Store {
        try Store.create(at: directory)
        let store = try Store(directory)
        _ = try store.commit(checkpoint: peer("base"), options("base"))
        for name in ["swahili", "metamath"] {
            try store.createBranch(name, at: "main", signature)
            _ = try store.commit(checkpoint: peer("branch-\(name)"), options(name, branch: name))
        }
        return store
    }

    /// A store `S` in a directory, with the tiny model on main.
    static func tinyStore(in directory: String) throws -> Store {
        try Store.create(at: directory + "/S")
        let store = try Store(directory + "/S")
        let base = try TinyCheckpoint().write(to: directory + "/base")
        _ = try store.commit(checkpoint: base, options("base"))
        return store
    }

    /// Divides records among new branches at random, some on two of them, with merges in between, and merges
    /// all into the first.
    ///
    /// - Parameters:
    ///   - pause: One record in so many is followed by a merge.
    ///   - add: Commits a record, by its index, on a branch.
    /// - Returns: The first branch.
    static func divide(
        _ records: Range<Int>, of store: Store, among branches: ClosedRange<Int>, _ name: String,
        pause: Int, using random: inout SeededGenerator, add: (Int, String) throws -> Void
    ) throws -> String {
        let names = (0..<Int.random(in: branches, using: &random)).map { "\(name)b\($0)" }
        for name in names { try store.createBranch(name, at: "main", signature) }
        func any() throws -> String { try #require(names.randomElement(using: &random)) }
        for index in records.shuffled(using: &random) {
            for _ in 0..<Int.random(in: 1...2, using: &random) { try add(index, any()) }
            if Int.random(in: 0..<pause, using: &random) == 0 {
                _ = try store.merge([any()], into: any(), signature)
            }
        }
        let merge = try store.merge(names.shuffled(using: &random), into: names[0], signature)
        #expect(merge.conflicts.isEmpty)
        return names[0]
    }

    static func options(_ message: String, branch: String? = nil) -> CommitOptions {
        CommitOptions(message: message, branch: branch, signature: signature)
    }
}

func bytes(_ path: String) throws -> Data { try Data(contentsOf: URL(filePath: path)) }
