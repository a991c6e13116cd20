import Foundation
import TestSupport
import Testing

/// Whether programs may have a network of their own: tried once.
private let canUnshare: Bool = {
    let end = try? RunningProgram(
        "/bin/bash", ["-c", "unshare -n true"], errors: .file("/dev/null")
    ).wait()
    return end?.status == 0
}()

@Suite(
    "A remote in a folder that two networks share",
    .enabled(if: canUnshare, "without leave to make network namespaces"))
struct RemoteNamespaceTests {
    @Test("of two pushes at the same time one wins, and the other does after a pull")
    func race() throws {
        let session = try Session.base()
        let url = "file://" + session.path("remote")
        try session.expect("remote", "add", "origin", url)
        try session.expect("push")
        for name in ["A", "B"] { try session.expect("clone", url, name) }
        var edits: [Int: Float] = [:]
        for round in 0..<4 {
            for (number, name) in ["A", "B"].enumerated() {
                var mine = edits
                mine[2 * round + number] = 1
                try TinyCheckpoint(edits: mine).write(to: session.path("\(name)-\(round)"))
                try session.expect(
                    "-C", name, "commit", "\(name)-\(round)", "-m", "\(name) \(round)")
            }
            // Nothing but the folder joins them.
            let run = try session.shell(
                """
                for name in A B; do
                    { unshare -n "$cambium" -C $name push -q; echo $? > $name.status; } &
                done
                wait
                cat A.status B.status
                """)
            let status = run.lines.compactMap { Int($0) }
            #expect(status.sorted() == [0, 5], "\(run.errors)")
            let (winner, loser) = status.first == 0 ? ("A", "B") : ("B", "A")
            for name in [loser, winner] {
                let pull = try session.shell("unshare -n \"$cambium\" -C \(name) pull -q")
                #expect(pull.status == 0, "\(pull.errors)")
                if name == loser {
                    let push = try session.shell("unshare -n \"$cambium\" -C \(name) push -q")
                    #expect(push.status == 0, "\(push.errors)")
                }
            }
            edits[2 * round] = 1
            edits[2 * round + 1] = 1
            let heads = try ["A", "B"].map {
                try session.expect("-C", $0, "log", "-n", "1", "-q").text
            }
            #expect(heads[0] == heads[1])
        }
        for name in ["A", "B"] { try session.expect("-C", name, "verify") }
        #expect(try session.expect("remote", "check", "--read").text.contains("keeps its word"))
        try TinyCheckpoint(edits: edits).write(to: session.path("all"))
        try session.expect("-C", "A", "export", "main", "out")
        let model = "model.safetensors"
        #expect(
            FileManager.default.contentsEqual(
                atPath: session.path("all/\(model)"), andPath: session.path("out/\(model)")))
    }
}
