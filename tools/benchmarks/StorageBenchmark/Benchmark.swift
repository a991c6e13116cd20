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
            "commit, series, import, export, open, readers, diff, merge, collect, compress, growth."
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

    @Flag(help: "A smoke test: shorter waits.")
    var quick = false

    var path: String { dir + "/store" }

    func run() throws {
        do {
            // A helper process of another case works in that case's directory.
            if name == "reader" { return try read() }
            if name == "touch" { return try touch() }
            try FileManager.default.createDirectory(
                atPath: dir, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(atPath: path) }
            switch name {
            case "commit": try commit()
            case "series": try series()
            case "import": try importCheckpoint()
            case "export": try exportCheckpoint()
            case "open": try open()
            case "readers": try readers()
            case "diff": try diff()
            case "merge": try merge()
            case "collect": try collect()
            case "compress": try compress()
            case "growth": try growth()
            default: throw ValidationError("there is no case '\(name)'")
            }
        } catch let error as Failure {
            FileHandle.standardError.write(Data("\(name): wrong answer: \(error)\n".utf8))
            throw ExitCode.failure
        }
    }

    func report(_ metric: String, _ values: [Double], _ unit: String) throws {
        let record = Record(
            case: name, metric: metric, values: values, unit: unit, experts: experts, size: size,
            changes: changes)
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        FileHandle.standardOutput.write(try encoder.encode(record) + Data("\n".utf8))
    }

    /// Lets a peer take its round, when the caller interleaves them.
    func takeTurn() throws {
        guard ProcessInfo.processInfo.environment["CAMBIUM_BENCH_PACED"] == "1" else { return }
        try report("ready", [], "count")
        _ = readLine()
    }
}

extension Benchmark {
    /// One commit of k changes, after the pool was made.
    func commit() throws {
        let pool = try Pool(path, count: experts, size: size)
        try pool.check()
        var (times, growth, written): ([Double], [Double], [Double]) = ([], [], [])
        var device: [Double] = []
        for round in 1...rounds {
            let work = pool.changes(round: round, count: changes)
            try takeTurn()
            let before = (try bytesOnDisk(path), try bytesWritten(), deviceBytes(path))
            let (time, _) = try seconds { try pool.commit(work, "round \(round)") }
            times.append(time)
            growth.append(try bytesOnDisk(path) - before.0)
            written.append(try bytesWritten() - before.1)
            if let now = deviceBytes(path), let then = before.2 { device.append(now - then) }
        }
        try pool.check(rounds: (1...rounds).map { ($0, changes) })
        try report("seconds", times, "s")
        try report("file_growth", growth, "bytes")
        try report("write_bytes", written, "bytes")
        try report("device_bytes", device, "bytes")
        try report("payload_bytes", [Double(changes * size)], "bytes")
    }

    /// Many commits in a row: whether the last one costs what the tenth did.
    func series() throws {
        let pool = try Pool(path, count: experts, size: size)
        var (times, growth, written): ([Double], [Double], [Double]) = ([], [], [])
        var (logs, opens): ([Double], [Double]) = ([], [])
        for round in 1...commits {
            let work = pool.changes(round: round, count: changes)
            let before = (try bytesOnDisk(path), try bytesWritten())
            let (time, _) = try seconds { try pool.commit(work, "round \(round)") }
            times.append(time)
            growth.append(try bytesOnDisk(path) - before.0)
            written.append(try bytesWritten() - before.1)
            guard round == min(10, commits) || round == commits else { continue }
            for _ in 0..<11 {
                logs.append(try seconds { try pool.store.log(limit: 20) }.0)
                let head = try pool.head
                opens.append(try seconds { try pool.snapshots.map(head) }.0)
            }
        }
        try pool.check(rounds: (1...commits).map { ($0, changes) })
        try report("seconds", times, "s")
        try report("file_growth", growth, "bytes")
        try report("write_bytes", written, "bytes")
        try report("payload_bytes", [Double(changes * size)], "bytes")
        try report("log_seconds", logs, "s")
        try report("open_seconds", opens, "s")
    }

    /// How commit, diff, open and verify grow with the pool.
    func growth() throws {
        let pool = try Pool(path, count: experts, size: size)
        var (commits, diffs, opens): ([Double], [Double], [Double]) = ([], [], [])
        for round in 1...rounds {
            let work = pool.changes(round: round, count: changes)
            commits.append(try seconds { try pool.commit(work, "round \(round)") }.0)
            let (time, difference) = try seconds {
                try pool.store.diff(from: "main~1", to: "main")
            }
            try expect(
                difference.cohorts.first?.changed.map(\.ordinal).sorted()
                    == work.map(\.ordinal).sorted(),
                "the diff is not what the round changed")
            diffs.append(time)
            let head = try pool.head
            opens.append(try seconds { try pool.snapshots.map(head) }.0)
        }
        let (time, faults) = try seconds { try pool.store.verify().faults }
        try expect(faults.isEmpty, "\(faults.count) faults")
        try pool.check(rounds: (1...rounds).map { ($0, changes) })
        try report("commit_seconds", commits, "s")
        try report("diff_seconds", diffs, "s")
        try report("open_seconds", opens, "s")
        try report("verify_seconds", [time], "s")
        try report("file_bytes", [try bytesOnDisk(path)], "bytes")
    }
}
