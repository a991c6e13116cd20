import Foundation
import Testing

/// A program that is started without its standard streams must not take a store's file for one.
@Suite("Closed streams")
struct StreamsTests {
    @Test(
        "a store stays whole whatever is closed",
        arguments: ["<&-", ">&-", "2>&-", "<&- >&- 2>&-", "<&- 2>&-"])
    func whole(closed: String) throws {
        let session = try Session.base()
        try TinyCheckpoint(edits: [3: 1]).write(to: session.path("next"))
        let lines = [
            "commit next -m next --progress plain", "log", "verify --progress json", "tag v1",
            "cat main:config.json", "export main out --progress plain", "repack --progress plain",
            "gc --prune",
        ]
        for line in lines { _ = try session.shell("cambium \(line) \(closed)") }
        let verify = try session.expect("verify")
        #expect(verify.text.contains("no faults"))
        #expect(try session.expect("log", "--oneline").lines.count == 2)
        #expect(try session.expect("tag").text.contains("v1"))
        for name in ["use.lock", "opening.lock", "maintenance.lock"] {
            let size = try FileManager.default.attributesOfItem(atPath: session.path("S/\(name)"))[
                .size]
            #expect(size as? Int == 0, "\(name)")
        }
    }

    @Test("words that were asked for and cannot be written are an error, a report of work is not")
    func status() throws {
        let session = try Session.base()
        for line in ["log", "ls main", "show main", "status", "--version"] {
            let run = try session.shell("cambium \(line) >&-")
            #expect(
                run.status == 1 && run.errors.contains("standard output cannot be written"),
                "\(line)")
            #expect(try session.shell("cambium \(line) >&- 2>&-").status == 1, "\(line)")
            #expect(try session.shell("cambium \(line) 2>&-").status == 0, "\(line)")
        }
        for line in ["tag v1", "verify", "export main out", "gc", "init T"] {
            let run = try session.shell("cambium \(line) >&-")
            #expect(line == "gc" ? run.status == 1 : run.status == 0, "\(line): \(run.errors)")
        }
        #expect(try session.expect("tag").text.contains("v1"))
        #expect(FileManager.default.fileExists(atPath: session.path("out/config.json")))
    }

    @Test("input that is closed is an error, not an empty text")
    func input() throws {
        let session = try Session.base()
        let run = try session.shell("cambium generate main --prompt - <&-")
        #expect(run.status == 1 && run.errors.contains("standard input"))
    }
}
