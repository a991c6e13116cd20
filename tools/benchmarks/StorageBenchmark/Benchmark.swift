internal import ArgumentParser
internal import BenchmarkSupport
internal import Cambium
internal import Foundation
internal import Snapshots

/// Measures Cambium's storage; `tools/bench storage` runs it beside its peers.
///
/// Each case makes its data, checks its answers, then prints what it measured, one JSON object a
/// line.
@main
struct Benchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "storage-benchmark",
        abstract: "Measure one case of the storage benchmark.")

    @Argument(
        help:
            "commit, series, import, export, open, readers, diff, merge, collect, compress, growth, history."
    )
    var name: String

    @Option(help: "Where to work; made and removed.")
    var dir: String

    @Option(help: "Experts in the pool.")
    var experts: Int

    @Option(help: "Bytes of each.")
    var size: Int

    @Option(help: "Experts that a commit changes.")
    var changes: Int = 1

    @Option(help: "Times that the measured work is repeated.")
    var rounds: Int = 5

    @Option(help: "Commits that are made.")
    var commits: Int = 10

    @Option(help: "Branches that are made, of a history.")
    var branches: Int = 10

    @Flag(help: "Leave the store there.")
    var keep = false

    @Flag(help: "A smoke test: shorter waits.")
    var quick = false

    var path: String { dir + "/store" }

    func measured() -> Measured {
        Measured(case: name, experts: experts, size: size, changes: changes)
    }

    func run() throws {
        do {
            // A helper process of another case works in that case's directory.
            if name == "reader" { return try read() }
            if name == "touch" { return try touch() }
            try FileManager.default.createDirectory(
                atPath: dir, withIntermediateDirectories: true)
            defer { if !keep { try? FileManager.default.removeItem(atPath: path) } }
            let cases = [
                "commit": commit, "series": series, "import": importCheckpoint,
                "export": exportCheckpoint, "open": open, "readers": readers, "diff": diff,
                "merge": merge, "collect": collect, "compress": compress, "growth": growth,
                "history": history,
            ]
            guard let run = cases[name] else {
                throw ValidationError("there is no case '\(name)'")
            }
            let found = measured()
            try run(found)
            try found.report()
        } catch let error as Failure {
            FileHandle.standardError.write(Data("\(name): wrong answer: \(error)\n".utf8))
            throw ExitCode.failure
        }
    }

    /// Lets a peer take its round, when the caller interleaves them.
    func takeTurn() throws {
        guard ProcessInfo.processInfo.environment["CAMBIUM_BENCH_PACED"] == "1" else { return }
        let ready = measured()
        ready.add("ready", unit: "count")
        try ready.report()
        _ = readLine()
    }
}

extension Benchmark {
    /// One commit of k changes, after the pool was made.
    func commit(_ found: Measured) throws {
        let pool = try Pool(path, count: experts, size: size)
        try pool.check()
        for round in 1...rounds {
            let work = pool.changes(round: round, count: changes)
            try takeTurn()
            try found.cost(of: path) { try pool.commit(work, "round \(round)") }
        }
        try pool.check(rounds: (1...rounds).map { ($0, changes) })
        found.add("payload_bytes", Double(changes * size), unit: "bytes")
    }

    /// Many commits in a row: whether the last one costs what the tenth did.
    func series(_ found: Measured) throws {
        let pool = try Pool(path, count: experts, size: size)
        for round in 1...commits {
            let work = pool.changes(round: round, count: changes)
            try found.cost(of: path) { try pool.commit(work, "round \(round)") }
            guard round == min(10, commits) || round == commits else { continue }
            for _ in 0..<11 {
                try found.time("log_seconds") { try pool.store.log(limit: 20) }
                let head = try pool.head
                try found.time("open_seconds") { try pool.snapshots.map(head) }
            }
        }
        try pool.check(rounds: (1...commits).map { ($0, changes) })
        found.add("payload_bytes", Double(changes * size), unit: "bytes")
    }

    /// How commit, diff, open and verify grow with the pool.
    func growth(_ found: Measured) throws {
        let pool = try Pool(path, count: experts, size: size)
        for round in 1...rounds {
            let work = pool.changes(round: round, count: changes)
            try found.time("commit_seconds") { try pool.commit(work, "round \(round)") }
            try pool.diff(found, "diff_seconds", expected: work)
            let head = try pool.head
            try found.time("open_seconds") { try pool.snapshots.map(head) }
        }
        let faults = try found.time("verify_seconds") { try pool.store.verify().faults }
        try expect(faults.isEmpty, "\(faults.count) faults")
        try pool.check(rounds: (1...rounds).map { ($0, changes) })
        found.add("file_bytes", try bytesOnDisk(path), unit: "bytes")
    }
}
