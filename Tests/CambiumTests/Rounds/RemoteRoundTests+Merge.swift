import Elements
import Foundation
import Remotes
import Snapshots
import TestSupport
import Testing

@testable import Cambium

/// Merges of rounds on a remote.
extension RemoteRoundTests {
    @Test(
        "a merge of rounds with keys takes those rounds alone, and is told of when the branch has moved on"
    )
    func keys() throws {
        try withPlace { place in
            let outcomes = try [place.run("a", 1, 0.5), place.run("b", 2, 0.5)]
            var merge = try RoundMerge(place.source, into: "main", branches: ["a", "b"])
            merge.keys = ["a": outcomes[0].key, "b": outcomes[0].key]
            let folder = place.directory + "/merge"
            refused(.exists, "branch 'b'") { _ = try merge.run(in: folder) }
            #expect(!FileManager.default.fileExists(atPath: folder))
            #expect(try place.source.heads().commit(of: "main") == place.base)
            let sides = Set(outcomes.map(\.commit))
            func isMerged() throws -> Bool {
                try place.source.builds("main", on: sides, from: place.base)
            }
            #expect(try !isMerged())
            merge.keys["b"] = outcomes[1].key
            _ = try merge.run(in: folder)
            #expect(try isMerged())
            // The branch goes on; what was merged stays merged.
            _ = try place.run("c", 3, 0.5)
            _ = try RoundMerge(place.source, into: "main", branches: ["c"])
                .run(in: place.directory + "/next")
            #expect(try isMerged())
            #expect(try !place.source.builds("b", on: sides, from: place.base))
            #expect(try !place.source.builds("none", on: sides, from: place.base))
        }
    }

    @Test("who waits for branches outlasts a remote that is away, and nothing else")
    func waiting() throws {
        try withPlace { place in
            let mark = place.directory + "/away"
            let away = FaultyTransport(FileRemote(place.directory + "/remote"), .failsBefore) {
                _, _ in FileManager.default.fileExists(atPath: mark)
            }
            let merge = RoundMerge(RoundSource(Remote(away)), into: "main", branches: ["a", "b"])
            var (told, pauses): ([String], Int) = ([], 0)
            try merge.waitForBranches(seconds: 1_000) { _ in
                pauses += 1
                if pauses == 1 { _ = FileManager.default.createFile(atPath: mark, contents: nil) }
                if pauses == 3 { try? FileManager.default.removeItem(atPath: mark) }
                if pauses == 4 { for name in ["a", "b"] { _ = try? place.run(name, 1, 0.5) } }
            } tell: {
                told.append($0)
            }
            #expect(pauses == 4 && told.count == 3, "\(told)")
            #expect(told.first == told.last && told[0].contains("without a, b"))
            // What waiting does not mend ends it.
            let denied = RoundMerge(try place.source, into: "main", branches: ["main"])
            refused(.usage, "into itself") {
                try denied.waitForBranches(seconds: 10, pause: { _ in }, tell: { _ in })
            }
        }
    }

    @Test("the merge is the same whichever round finished first, and again changes nothing")
    func merge() throws {
        var commits: Set<String> = []
        for order in [[0, 1, 2], [2, 0, 1]] {
            try withPlace { place in
                for index in order { try place.run("r/\(index)", index, Float(index) + 0.5) }
                var merge = try RoundMerge(
                    place.source, into: "main", branches: order.map { "r/\($0)" })
                merge.author = "Ada"
                let result = try merge.run(in: place.directory + "/merge").merge
                #expect(result.kind == .merged)
                let commit = try #require(result.commit)
                commits.insert(commit)
                #expect(try place.source.heads().commit(of: "main") == commit)
                var expected = TinyCheckpoint()
                for index in order { expected.setExpert(index, to: Float(index) + 0.5) }
                let path = try expected.write(to: place.directory + "/expected")
                let store = try Store(place.directory + "/merge")
                #expect(
                    try store.commit(checkpoint: path, CommitOptions(message: "x")).unchanged)
                merge.branches = ["r/*"]
                merge.expected = 3
                let again = try merge.run(in: place.directory + "/again")
                #expect(again.merge.kind == .upToDate && again.head == commit)
                #expect(try place.source.heads().commit(of: "main") == commit)
            }
        }
        #expect(commits.count == 1)
    }
}
