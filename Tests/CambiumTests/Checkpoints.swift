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

    static func options(_ message: String, branch: String? = nil) -> CommitOptions {
        CommitOptions(message: message, branch: branch, signature: signature)
    }
}

func bytes(_ path: String) throws -> Data { try Data(contentsOf: URL(filePath: path)) }
