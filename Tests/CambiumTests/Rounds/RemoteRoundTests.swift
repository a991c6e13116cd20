import Elements
import Foundation
import Objects
import Remotes
import Snapshots
import TestSupport
import Testing

@testable import Cambium

@Suite("Rounds on a remote")
struct RemoteRoundTests {
    /// A remote with a base on main, and what tasks do there.
    struct Place {
        let directory: String
        let base: String

        init(_ directory: String) throws {
            self.directory = directory
            let store = try Checkpoints.tinyStore(in: directory)
            base = try store.resolve("main")
            try push(store, "main")
        }

        var source: RoundSource { get throws { RoundSource(remote) } }
        var remote: Remote { Remote(FileRemote(directory + "/remote")) }

        func push(_ store: Store, _ branch: String) throws {
            try remote.prepare()
            _ = try Push(store.snapshots, to: remote, named: "r", author: "Ada", time: 1)
                .run([PushedReference(.branch, branch, store.id(branch))])
        }

        func begin(
            _ branch: String, _ command: String = "train", base: String = "main",
            baseBranch: String? = nil, in folder: String? = nil
        ) throws -> RemoteRound.Beginning {
            try RemoteRound.begin(
                source, base: base, baseBranch: baseBranch, branch: branch, command: [command],
                in: folder ?? "\(directory)/\(UUID().uuidString)")
        }

        func ready(_ branch: String, _ command: String = "train") throws -> RemoteRound {
            guard case .ready(let round) = try begin(branch, command) else {
                throw CambiumError(.exists, "finished")
            }
            return round
        }

        /// A checkpoint that edits one expert.
        func checkpoint(_ expert: Int, _ value: Float) throws -> String {
            var checkpoint = TinyCheckpoint()
            checkpoint.setExpert(expert, to: value)
            let path = "\(directory)/\(UUID().uuidString)"
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true)
            return try checkpoint.write(to: path + "/checkpoint")
        }

        /// Runs a round that leaves a checkpoint.
        @discardableResult
        func run(_ branch: String, _ expert: Int, _ value: Float) throws -> RoundOutcome {
            try ready(branch).finish(output: checkpoint(expert, value), author: "Ada")
        }
    }

    func withPlace(_ body: (Place) throws -> Void) throws {
        try withScratchDirectory { try body(Place($0)) }
    }

    func refused(
        _ code: CambiumError.Code, _ word: String, _ body: () throws -> Void,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let error = #expect(throws: CambiumError.self, sourceLocation: sourceLocation) {
            try body()
        }
        #expect(error?.code == code, sourceLocation: sourceLocation)
        #expect(
            error?.message.contains(word) == true, "\(error?.message ?? "")",
            sourceLocation: sourceLocation)
    }

    @Test("a round that left a checkpoint is pushed, tells what it was, and is found again")
    func checkpoint() throws {
        try withPlace { place in
            let round = try place.ready("r/a")
            #expect(try round.store.currentBranch() == "r/a")
            #expect(try round.store.resolve("r/a") == place.base)
            let outcome = try round.finish(
                output: place.checkpoint(1, 0.5), message: "mine", author: "Ada")
            #expect(outcome.isNew && outcome.base == place.base && outcome.branch == "r/a")
            let head = try #require(try place.source.describe(["r/a"])["r/a"])
            #expect(head.commit == outcome.commit && head.parents == [place.base])
            #expect(head.message == "mine" && head.key == round.identity.key)
            #expect(head.metadata["round.command"] == #"["train"]"#)
            guard case .finished(let again) = try place.begin("r/a") else {
                Issue.record("it is run again")
                return
            }
            #expect(!again.isNew && again.commit == outcome.commit && again.tree == outcome.tree)
            #expect(try round.store.verify().faults.isEmpty)
        }
    }

    @Test("what the command committed itself is kept, and told to be the round")
    func committed() throws {
        try withPlace { place in
            let round = try place.ready("a")
            let signature = Signature(author: "Ada", time: round.time)
            for value in [0.5, 0.75] as [Float] {
                var options = CommitOptions(message: "step", signature: signature)
                options.metadata = ["step": "\(value)"]
                try round.store.commit(checkpoint: place.checkpoint(1, value), options)
            }
            // What lies there beside it is not looked at.
            let outcome = try round.finish(output: place.checkpoint(2, 1), author: "Ada")
            let head = try #require(try place.source.describe(["a"])["a"])
            #expect(head.message == "step" && head.metadata["step"] == "0.75")
            #expect(head.key == outcome.key && head.parents != [place.base])
        }
    }

    @Test("a patch is committed as one")
    func patch() throws {
        try withPlace { place in
            let round = try place.ready("a")
            let changed = try round.store.commit(
                checkpoint: place.checkpoint(3, 2), CommitOptions(message: "m", branch: "other"))
            let output = place.directory + "/output"
            try FileManager.default.createDirectory(
                atPath: output, withIntermediateDirectories: true)
            try round.store.changes(from: place.base, to: changed.id)
                .write(to: output + "/patch.safetensors")
            let outcome = try round.finish(output: output, author: "Ada")
            #expect(outcome.tree == changed.tree && outcome.commit != changed.id)
        }
    }

    @Test("a round that leaves nothing fails, unless it may")
    func nothing() throws {
        try withPlace { place in
            let round = try place.ready("a")
            refused(.usage, "left nothing") { _ = try round.finish(output: "/nowhere") }
            let same = try TinyCheckpoint().write(to: place.directory + "/same")
            refused(.usage, "the base's model") { _ = try round.finish(output: same) }
            #expect(try place.source.heads().names == ["main"])
            let outcome = try round.finish(output: "/nowhere", allowsUnchanged: true)
            #expect(outcome.commit != place.base)
            #expect(outcome.tree == (try round.store.show(place.base).tree))
            let other = try place.ready("b")
            #expect(try other.finish(output: same, allowsUnchanged: true).isNew)
        }
    }

    @Test("two copies at once make the same commit, and both are right")
    func copies() throws {
        try withPlace { place in
            let (one, two) = (try place.ready("a"), try place.ready("a"))
            let first = try one.finish(output: place.checkpoint(1, 0.5), author: "Ada")
            let second = try two.finish(output: place.checkpoint(1, 0.5), author: "Ada")
            #expect(first.isNew && !second.isNew && first.commit == second.commit)
            // Where training is not repeatable, the first is the round.
            let (three, four) = (try place.ready("b"), try place.ready("b"))
            let third = try three.finish(output: place.checkpoint(1, 0.5), author: "Ada")
            let fourth = try four.finish(output: place.checkpoint(1, 0.25), author: "Ada")
            #expect(!fourth.isNew && fourth.commit == third.commit && fourth.tree == third.tree)
        }
    }

    @Test("a branch with something else is refused by name, before and after")
    func taken() throws {
        try withPlace { place in
            let late = try place.ready("a", "other")
            try place.run("a", 1, 0.5)
            refused(.exists, "round: a") { _ = try place.begin("a", "third") }
            refused(.exists, #"["train"]"#) {
                _ = try late.finish(output: place.checkpoint(2, 1))
            }
            let store = try Store(place.directory + "/S")
            try store.createBranch("plain", at: "main")
            try place.push(store, "plain")
            refused(.exists, "something else") { _ = try place.begin("plain") }
        }
    }

    @Test("a base is a branch, its commit, or an older commit of a branch that is named")
    func bases() throws {
        try withPlace { place in
            try place.run("a", 1, 0.5)
            let first = try #require(try place.source.heads().commit(of: "a"))
            for (base, branch) in [(first, nil), (first, "a"), ("a", nil), (place.base, "a")]
                as [(String, String?)]
            {
                guard
                    case .ready(let round) = try place.begin(
                        "b", "x", base: base, baseBranch: branch)
                else {
                    Issue.record("\(base)")
                    continue
                }
                #expect(round.identity.base == (base == "a" ? first : base))
            }
            refused(.notFound, "no branch 'c'") { _ = try place.begin("b", base: "c") }
            refused(.notFound, "--base-branch") {
                _ = try place.begin("b", base: String(repeating: "a", count: 64))
            }
            refused(.notFound, "could have the base") {
                _ = try place.begin("b", base: place.base, baseBranch: "nowhere")
            }
            refused(.notFound, "aaaaaaaaaaaa") {
                _ = try place.begin(
                    "b", base: String(repeating: "a", count: 64), baseBranch: "main")
            }
            refused(.usage, "of its own") { _ = try place.begin("main") }
            refused(.badName, "a b") { _ = try place.begin("a b") }
            refused(.remote, "no cambium remote") {
                _ = try RemoteRound.begin(
                    RoundSource(Remote(FileRemote(place.directory + "/empty"))), base: "main",
                    branch: "b", command: ["x"], in: place.directory + "/x")
            }
        }
    }

    @Test("a folder that the same round left is made anew, any other is left alone")
    func leftovers() throws {
        try withPlace { place in
            let folder = place.directory + "/work"
            _ = try place.begin("a", in: folder)
            guard case .ready(let round) = try place.begin("a", in: folder) else { return }
            #expect(try round.finish(output: place.checkpoint(1, 1), author: "Ada").isNew)
            refused(.exists, folder) { _ = try place.begin("b", in: folder) }
            #expect(Store.exists(at: folder))
        }
    }

    @Test("a clone that fails leaves nothing, and one that was killed is made anew")
    func cut() throws {
        try withPlace { place in
            let folder = place.directory + "/work"
            func begin(_ command: String, _ progress: @escaping ProgressReporter) throws {
                _ = try RemoteRound.begin(
                    place.source, base: "main", branch: "a", command: [command], in: folder,
                    progress: progress)
            }
            let killed = place.directory + "/killed"
            refused(.cancelled, "stop") {
                try begin("x") { _ in
                    // What a machine that stops now leaves.
                    try FileManager.default.copyItem(atPath: folder, toPath: killed)
                    throw CambiumError(.cancelled, "stop")
                }
            }
            #expect(!FileManager.default.fileExists(atPath: folder))
            refused(.notFound, "aaaaaaaaaaaa") {
                _ = try place.begin(
                    "b", base: String(repeating: "a", count: 64), baseBranch: "main", in: folder)
            }
            #expect(!FileManager.default.fileExists(atPath: folder))
            try FileManager.default.moveItem(atPath: killed, toPath: folder)
            refused(.exists, folder) { try begin("other") { _ in } }
            try begin("x") { _ in }
            #expect(Store.exists(at: folder))
        }
    }

    @Test(
        "a round whose base is a branch is found when that branch has moved; one of a commit is another"
    )
    func movedBase() throws {
        try withPlace { place in
            let late = try place.ready("a")
            let folder = place.directory + "/work"
            _ = try place.begin("b", in: folder)
            let first = try place.run("a", 1, 0.5)
            _ = try RoundMerge(place.source, into: "main", branches: ["a"])
                .run(in: place.directory + "/merge")
            let moved = try #require(try place.source.heads().commit(of: "main"))
            #expect(moved != place.base)
            guard case .finished(let again) = try place.begin("a") else {
                Issue.record("it is run again")
                return
            }
            #expect(!again.isNew && again.commit == first.commit && again.base == place.base)
            #expect(again.key == first.key)
            refused(.exists, "something else") { _ = try place.begin("a", "other") }
            refused(.exists, "something else") {
                _ = try place.begin("a", base: moved, baseBranch: "main")
            }
            guard case .finished = try place.begin("a", base: place.base, baseBranch: "main")
            else {
                Issue.record("it is run again from the commit")
                return
            }
            // Copies that began at different commits, and what one of them left.
            #expect(try !late.finish(output: place.checkpoint(1, 2), author: "Ada").isNew)
            guard case .ready(let next) = try place.begin("b", in: folder) else { return }
            #expect(next.identity.base == moved)
            let other = try place.ready("c")
            _ = try place.run("d", 2, 1)
            _ = try RoundMerge(place.source, into: "main", branches: ["d"])
                .run(in: place.directory + "/merge2")
            let won = try place.run("c", 3, 1)
            #expect(won.base != other.identity.base)
            let lost = try other.finish(output: place.checkpoint(3, 2), author: "Ada")
            #expect(!lost.isNew && lost.commit == won.commit && lost.base == won.base)
        }
    }

    @Test("a round that leaves the base's history is refused")
    func moved() throws {
        try withPlace { place in
            let first = try place.run("a", 1, 0.5).commit
            guard case .ready(let next) = try place.begin("z", base: "a") else { return }
            _ = try next.finish(output: place.checkpoint(2, 1), author: "Ada")
            guard case .ready(let round) = try place.begin("b", base: first, baseBranch: "z")
            else { return }
            _ = try round.store.reset(to: "b~1", branch: "b")
            refused(.usage, "without the base") { _ = try round.finish(output: "/nowhere") }
        }
    }

    @Test("what is missing, and what conflicts, is not merged")
    func unmerged() throws {
        try withPlace { place in
            try place.run("r/a", 1, 0.5)
            try place.run("r/b", 1, 0.25)
            var merge = try RoundMerge(place.source, into: "main", branches: ["r/a", "r/c"])
            refused(.notFound, "without r/c") { _ = try merge.run(in: place.directory + "/1") }
            merge.branches = ["r/*"]
            merge.expected = 3
            refused(.notFound, "2 of 3") { _ = try merge.run(in: place.directory + "/2") }
            merge.expected = 2
            let result = try merge.run(in: place.directory + "/3").merge
            #expect(result.kind == .conflicts && result.conflicts.count == 1)
            #expect(result.conflicts.first?.sides == ["r/a", "r/b"])
            #expect(try place.source.heads().commit(of: "main") == place.base)
            merge.policy = .mean
            merge.weights = ["r/a": 3]
            #expect(try merge.run(in: place.directory + "/4").merge.kind == .merged)
            merge.into = "r/a"
            refused(.usage, "into itself") {
                merge.branches = ["r/a", "r/b"]
                _ = try merge.run(in: place.directory + "/5")
            }
            merge.into = "nowhere"
            refused(.notFound, "'nowhere'") { _ = try merge.run(in: place.directory + "/6") }
        }
    }

    @Test("merges that push at once follow each other")
    func contended() throws {
        try withPlace { place in
            for index in 0..<4 { try place.run("r/\(index)", index, 1) }
            DispatchQueue.concurrentPerform(iterations: 4) { index in
                do {
                    let merge = try RoundMerge(
                        place.source, into: "main", branches: ["r/\(index)"])
                    _ = try merge.run(in: "\(place.directory)/merge\(index)")
                } catch {
                    Issue.record("\(error)")
                }
            }
            var merge = try RoundMerge(place.source, into: "main", branches: ["r/*"])
            merge.expected = 4
            #expect(try merge.run(in: place.directory + "/last").merge.kind == .upToDate)
        }
    }
}
