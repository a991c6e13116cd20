import Foundation
import Testing

/// Limits that batch systems set (setrlimit(2)): an error or the work, never a signal or a hang.
@Suite("Limits of the process")
struct LimitsTests {
    private func session() throws -> Session {
        let session = try Session.base()
        try TinyCheckpoint(edits: [3: 1]).write(to: session.path("next"))
        return session
    }

    @Test("few descriptors are an error", arguments: [3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 16])
    func descriptors(count: Int) throws {
        let session = try session()
        for line in [
            "verify", "export main out --force", "commit next -m next", "log",
            "generate main --prompt abc -n 3",
        ] {
            let run = try session.shell("ulimit -n \(count); exec \"$cambium\" \(line)")
            #expect(!run.wasKilled && [0, 1, 127].contains(run.status), "\(line): \(run.errors)")
            // The shell itself, or the loader of libraries, may have none left.
            if run.status == 1, run.errors.contains("error:") {
                #expect(run.errors.contains("Too many open files"), "\(line): \(run.errors)")
            }
        }
        #expect(try session.expect("verify").text.contains("no faults"))
    }

    @Test(
        "a limit of address space leaves a store usable",
        arguments: [600_000, 1_000_000, 4_000_000])
    func addressSpace(kilobytes: Int) throws {
        let session = try session()
        for line in [
            "log", "export main out", "commit next -m next", "gc --prune", "verify", "repack",
        ] {
            let run = try session.shell("ulimit -v \(kilobytes); exec \"$cambium\" \(line)")
            #expect(run.status == 0, "\(line): \(run.errors)")
        }
        #expect(try session.expect("log", "--oneline").lines.count == 2)
    }

    @Test("a file that is too large for the limit is an error, and nothing is left behind")
    func fileSize() throws {
        let session = try session()
        let run = try session.shell("ulimit -f 4; exec \"$cambium\" export main out")
        #expect(run.status == 1 && run.errors.contains("ulimit -f"), "\(run.errors)")
        #expect(!FileManager.default.fileExists(atPath: session.path("out")))
        let commit = try session.shell("ulimit -f 20; exec \"$cambium\" commit next -m next")
        #expect(commit.status == 1 && commit.errors.contains("ulimit -f"), "\(commit.errors)")
        #expect(try session.expect("log", "--oneline").lines.count == 1)
        #expect(try session.expect("verify").text.contains("no faults"))
        try session.expect("commit", "next", "-m", "next")
    }

    @Test("a limit of data does not keep the program from starting")
    func data() throws {
        let session = try session()
        let lines = [
            "--version", "log", "export main out", "commit next -m next",
            "generate main --prompt abc -n 3",
        ]
        for line in lines {
            let run = try session.shell(
                "ulimit -d 102400; exec timeout -s KILL 60 \"$cambium\" \(line)")
            #expect(run.status == 0, "\(line): \(run.status) \(run.errors)")
        }
        try session.write(String(repeating: "a text to learn from. ", count: 500), to: "text")
        let train = try session.shell(
            "ulimit -d 102400; exec timeout -s KILL 60 \"$cambium\" train --data text --whole --steps 1 -m round"
        )
        #expect(train.status == 1 && train.errors.contains("OpenBLAS"), "\(train.errors)")
    }
}
