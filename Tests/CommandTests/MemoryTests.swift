import CheckpointSupport
import Foundation
import Testing

@testable import CambiumCommand

@Suite("Memory of a model")
struct MemoryTests {
    @Test("sizes are numbers with units")
    func sizes() {
        let sizes = ["1": 1, "1.5k": 1536, "300M": 300 << 20, "2GiB": 2 << 30, "7TB": 7 << 40]
        for (text, bytes) in sizes {
            #expect(SizeOption(argument: text)?.bytes == bytes, "\(text)")
        }
        for text in ["", "M", "-1", "0", "nan", "1X", "inf", "1e30T"] {
            #expect(SizeOption(argument: text) == nil, "\(text)")
        }
    }

    @Test("a limit changes no result, and one that is too small is told")
    func limit() throws {
        let session = try Session.base()
        func generate(_ more: String...) throws -> Run {
            try session.start(["generate", "--prompt", "abc", "-n", "40"] + more).end()
        }
        let free = try generate()
        let limited = try generate("--memory-limit", "4G")
        #expect(free.status == 0 && free.output == limited.output)
        try session.expect("repack", "--compress")
        let unpacked = try generate("--memory-limit", "4G")
        #expect(unpacked.status == 0 && free.output == unpacked.output)
        let small = try generate("--memory-limit", "1M")
        #expect(small.status == 1 && small.errors.contains("without any expert"))
        #expect(try generate("--memory-limit", "many").status == 64)
    }

    @Test("experts that do not all fit are copied or run where they are, with the same text")
    func wideExperts() throws {
        let session = try Session()
        session.environment["CAMBIUM_STORE"] = session.path("S")
        try session.expect("init", "S")
        try session.expect(
            "commit", GeneratedCheckpoints.path("hf/olmoe/model_wide"), "-m", "wide")
        func generate(_ more: String...) throws -> Run {
            try session.start(
                ["generate", "--tokens", "1,2,3", "-n", "60", "--past-end", "--stats"] + more
            ).end()
        }
        let free = try generate()
        let told = try generate("--memory-limit", "1M").errors
        let own = try #require(
            told.firstMatch(of: /takes (\d+) bytes/).flatMap { Int($0.output.1) }, "\(told)")
        // Of 19 MB of experts some have room beside what is held back. What the program itself takes differs from run to
        // run, by the folios in which the system maps it.
        var done = 0
        for room in stride(from: 30 << 20, through: 66 << 20, by: 6 << 20) {
            let limited = try generate("--memory-limit", "\(own + room)")
            guard limited.status == 0 else {
                #expect(limited.errors.contains("memory limit"), "\(room): \(limited.errors)")
                continue
            }
            #expect(limited.output == free.output, "\(room): \(limited.errors)")
            done += 1
        }
        #expect(done >= 3)
        #expect(free.status == 0 && !free.output.isEmpty)
    }

    @Test("a profile is noted, warms the next run and goes with its commit")
    func profile() throws {
        let session = try Session.base()
        try Data("abcabcabc".utf8).write(to: URL(fileURLWithPath: session.path("text")))
        let run = try session.expect("profile", "main", "--text", "text", "--json")
        let path = try #require(try run.json["path"] as? String)
        #expect(FileManager.default.fileExists(atPath: path))
        let plain = try session.expect("generate", "--prompt", "abc", "-n", "20", "--no-warm")
        let warm = try session.expect("generate", "--prompt", "abc", "-n", "20", "--stats")
        #expect(plain.output == warm.output)
        #expect(warm.errors.contains("asked for ahead"))
        let cold = try session.expect(
            "generate", "--prompt", "abc", "-n", "20", "--stats", "--no-warm")
        #expect(!cold.errors.contains("asked for ahead"))
        // Damaged, it is as if it were not there.
        try Data("no profile".utf8).write(to: URL(fileURLWithPath: path))
        #expect(
            try session.expect("generate", "--prompt", "abc", "-n", "20").output == plain.output)
        let kept = try session.expect("gc", "--prune", "--grace", "0 days")
        #expect(kept.status == 0 && FileManager.default.fileExists(atPath: path))
        let gone = path.dropLast(4) + "0000"
        try FileManager.default.moveItem(atPath: path, toPath: String(gone))
        try session.expect("gc", "--prune", "--grace", "0 days")
        #expect(!FileManager.default.fileExists(atPath: String(gone)))
    }

    @Test("statistics are part of what eval reports")
    func statistics() throws {
        let session = try Session.base()
        try Data(repeating: 0x41, count: 64).write(to: URL(fileURLWithPath: session.path("text")))
        let run = try session.expect("eval", "main", "--text", "text", "--stats", "--json")
        let statistics = try #require(try run.json["statistics"] as? [[String: Any]])
        #expect(statistics.count == 1 && (statistics[0]["selections"] as? Int ?? 0) > 0)
        #expect((statistics[0]["hitRate"] as? Double ?? 0) > 0.5)
    }
}
