import Foundation
import Testing

@Suite("backup on the command line")
struct BackupCommandTests {
    @Test("a backup is a store at once, or a file that init makes one of")
    func path() throws {
        let session = try Session.history()
        let made = try session.expect("backup", "copy/")
        #expect(made.text.hasPrefix("backed up to copy/") && made.text.contains("3 commits"))
        let log = try session.expect("log", "--all", "-q").text
        #expect(try session.expect("log", "--all", "-q", "-C", "copy").text == log)
        let file = try session.expect("backup", "S.mdb", "--json").json
        #expect(file["kind"] as? String == "file" && file["commits"] as? Int == 3)
        for (target, source) in [("R", "S.mdb"), ("T", "copy")] {
            try session.expect("init", target, "--from", source)
            #expect(try session.expect("log", "--all", "-q", "-C", target).text == log)
            #expect(try session.expect("verify", "-C", target).status == 0)
        }
        #expect(try session.run("backup", "S.mdb").status == 1)
        #expect(try session.run("backup", "copy").errors.contains("never replaces"))
        #expect(try session.run("init", "R", "--from", "S.mdb").status == 1)
        #expect(try session.run("init", "N", "--from", "none.mdb").status != 0)
        #expect(try session.run("init", "N", "--from", "S.mdb", "--branch", "b").status == 64)
    }
}
