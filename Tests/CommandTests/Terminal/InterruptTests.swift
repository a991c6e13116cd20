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
            # Before it is the program, it is a shell that has the pipe as well.
            until [ /proc/$job/exe -ef "$cambium" ] && ls -l /proc/$job/fd | grep -q '/pipe$'; do
                sleep 0.02
            done
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

    /// A file of 160 MiB, of which a commit writes most ahead.
    private func large(_ path: String) throws {
        let (count, size) = (40, 4 << 20)
        let entries = (0..<count).map {
            "\"t\($0)\":{\"dtype\":\"U8\",\"shape\":[\(size)],\"data_offsets\":[\($0 * size),\(($0 + 1) * size)]}"
        }
        let header = Data("{\(entries.joined(separator: ","))}".utf8)
        try Data().write(to: URL(fileURLWithPath: path))
        let file = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
        let length = (0..<8).map { UInt8(truncatingIfNeeded: header.count >> (8 * $0)) }
        try file.write(contentsOf: Data(length))
        try file.write(contentsOf: header)
        for number in 0..<count {
            try file.write(contentsOf: Data(repeating: UInt8(number), count: size))
        }
        try file.close()
    }

    private func storeSize(_ session: Session) throws -> Int {
        let attributes = try FileManager.default.attributesOfItem(
            atPath: session.path("S/data.mdb"))
        return try #require(attributes[.size] as? Int)
    }

    @Test("an interrupted commit frees what it wrote, and the next one writes there")
    func commit() throws {
        let session = try Session()
        session.environment["CAMBIUM_STORE"] = session.path("S")
        try large(session.path("model.safetensors"))
        try session.expect("init", "S")
        let job = try session.start(["commit", "model.safetensors", "-m", "a"])
        try job.send(SIGINT) { try storeSize(session) > 34 << 20 }
        let run = try job.end()
        #expect(run.wasKilled && run.status == SIGINT)
        #expect(
            run.errors.hasPrefix("interrupted: ") && run.errors.split(separator: "\n").count == 1)
        let stats = try session.expect("stats", "--json").json
        #expect(try #require(stats["freeBytes"] as? Int) > 32 << 20)
        try session.expect("commit", "model.safetensors", "-m", "a")
        let size = try storeSize(session)
        try session.expect("init", "S2")
        session.environment["CAMBIUM_STORE"] = session.path("S2")
        try session.expect("commit", "model.safetensors", "-m", "a")
        let clean = try FileManager.default.attributesOfItem(atPath: session.path("S2/data.mdb"))
        #expect(size <= (try #require(clean[.size] as? Int)) + (6 << 20))
    }

    @Test(
        "an export that is interrupted leaves nothing in the folder, and a repack the store as it was",
        arguments: [SIGINT, SIGTERM])
    func exportAndRepack(_ signal: Int32) throws {
        let session = try Session()
        session.environment["CAMBIUM_STORE"] = session.path("S")
        try large(session.path("model.safetensors"))
        try session.expect("init", "S")
        try session.expect("commit", "model.safetensors", "-m", "a")
        func names(_ folder: String) -> Set<String> {
            Set((try? FileManager.default.contentsOfDirectory(atPath: session.path(folder))) ?? [])
        }
        try FileManager.default.createDirectory(
            atPath: session.path("out"), withIntermediateDirectories: false)
        let export = try session.start(["export", "main", "out"])
        try export.send(signal) { !names("out").isEmpty }
        let exported = try export.end()
        if exported.wasKilled {
            #expect(exported.status == signal && exported.errors.hasPrefix("interrupted: "))
            #expect(names("out").isEmpty)
        }
        let before = names("S")
        let repack = try session.start(["repack"])
        try repack.send(signal) { !names("S").isSubset(of: before) }
        let repacked = try repack.end()
        if repacked.wasKilled {
            #expect(repacked.status == signal && repacked.errors.hasPrefix("interrupted: "))
        }
        #expect(names("S") == before)
        try session.expect("verify")
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
