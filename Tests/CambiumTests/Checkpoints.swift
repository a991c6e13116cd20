import CheckpointSupport
import Foundation
import TestSupport
import Testing

@testable import Cambium

/// The checkpoints that tests use: small ones that are made here, of every architecture and form.
enum Checkpoints {
    /// Folders of every architecture and form, for ``path(_:)``.
    static let transformers: [String] =
        architectures.flatMap { name in
            GeneratedCheckpoints.forms.map { "hf/\(name)/\($0)" }
        }

    static let architectures = GeneratedCheckpoints.families

    /// Those of ``transformers`` that transformers itself wrote with larger sizes.
    static let saved = transformers.filter {
        FileManager.default.fileExists(atPath: TrainedCheckpoints.path($0))
    }

    static func path(_ relative: String) -> String { GeneratedCheckpoints.path(relative) }

    static func peer(_ name: String) -> String { path("peer-lm/\(name)") }

    /// The test text of a domain that ships with the quick start.
    static func text(_ domain: String) throws -> [UInt8] {
        let root = URL(filePath: #filePath).resolvingSymlinksInPath()
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        return [UInt8](
            try Data(contentsOf: root.appending(path: "tools/sample/text/\(domain)/test.txt")))
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
