import Foundation
import Testing

@Suite("Interruption")
struct InterruptTests {
    /// Runs a command that reads from a pipe which nobody writes, and so waits; then sends a signal.
    private func interrupted(_ signal: String) throws -> (lines: [String], session: Session) {
        let session = try Session.base()
        let run = try session.shell(
            """
            mkfifo pipe; exec 3<>pipe
            "$cambium" route --text pipe 2>errors 3>&- & job=$!
            until ls -l /proc/$job/fd | grep -q '/pipe$'; do sleep 0.02; done
            kill -\(signal) $job; wait $job; echo $?; cat errors
            """)
        return (run.lines.map(String.init), session)
    }

    @Test(
        "a signal is said in one line, and the program ends by it",
        arguments: [("INT", "130"), ("TERM", "143"), ("HUP", "129")])
    func signals(_ signal: String, _ status: String) throws {
        let (lines, _) = try interrupted(signal)
        #expect(lines.first == status)
        #expect(lines.count == 2 && lines.last?.hasPrefix("interrupted: ") == true)
    }

    @Test("when standard output cannot be written, the commit that was made is named")
    func unwritable() throws {
        let session = try Session.base()
        try TinyCheckpoint(edits: [3: 1]).write(to: session.path("next"))
        let full = try session.shell("cambium commit next -m next >/dev/full")
        let head = try session.expect("log", "-q", "-n", "1").lines.first ?? "?"
        #expect(full.status == 1)
        #expect(full.errors.contains("the commit was made: \(head)"))
        try TinyCheckpoint(edits: [4: 1]).write(to: session.path("last"))
        let closed = try session.shell(
            "set -o pipefail; { sleep 0.2; cambium commit last -m last; } | true")
        // The shell's own sub-shell may end by the signal first; the commit is there all the same.
        #expect(closed.status == 141)
        #expect(try session.expect("log", "-n", "1").text.contains("last"))
    }

    @Test("a repack keeps the store's permissions")
    func permissions() throws {
        let session = try Session.base()
        let run = try session.shell(
            "chmod 640 S/data.mdb && cambium repack -q >/dev/null && stat -c %a S/data.mdb")
        #expect(run.lines == ["640"])
    }
}
