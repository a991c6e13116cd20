internal import BenchmarkSupport
internal import Elements
internal import Foundation
internal import Models
internal import Objects
internal import Snapshots

/// Opening snapshots and reading experts, in this process and in others.
extension Benchmark {
    func open(_ found: Measured) throws {
        try openWarm(found)
        // The file is mapped no more, so it can be dropped from the page cache.
        let (process, pipe) = try start("touch", [])
        found.add("touched_bytes", try finish(process, pipe).1, unit: "bytes")
    }

    private func openWarm(_ found: Measured) throws {
        let pool = try Pool(path, count: experts, size: size)
        let oldest = try pool.head
        for round in 1...commits {
            try pool.commit(pool.changes(round: round, count: changes), "round \(round)")
        }
        let newest = try pool.head
        for (metric, id) in [("newest_seconds", newest), ("oldest_seconds", oldest)] {
            for _ in 0..<51 { try found.time(metric) { try pool.snapshots.map(id) } }
        }
        try pool.check(rounds: (1...commits).map { ($0, changes) })
        for round in 0..<5 {
            let snapshot = try pool.snapshots.map(newest)
            let table = try SnapshotWeights(snapshot).experts(layer: 0)
            let ordinals = ExpertData.changed(
                round: 1 + round, count: min(100_000, experts / 2), of: experts
            ).map { UInt32($0) }
            found.add("first_access_ns", try nanoseconds(table, ordinals), unit: "ns")
            found.add("later_access_ns", try nanoseconds(table, ordinals), unit: "ns")
        }
    }

    /// Nanoseconds for each of `ordinals`: its bytes found, none of them read.
    private func nanoseconds(_ table: any ExpertTable, _ ordinals: [UInt32]) throws -> Double {
        var addresses = 0
        let (time, _) = try seconds {
            try table.visit(ordinals.span) { _, expert in
                addresses &+= expert.byteCount
            }
        }
        try expect(addresses == ordinals.count * size, "an expert is not \(size) bytes long")
        return time * 1e9 / Double(ordinals.count)
    }

    /// In a process of its own: how much of the file it takes to open the newest snapshot, from an
    /// empty page cache.
    func touch() throws {
        try evict(path + "/data.mdb")
        let pool = try Pool(opening: path, count: experts, size: size)
        let snapshot = try pool.snapshots.map(try pool.head)
        print(snapshot.tree.layers.count, try cachedBytes(path + "/data.mdb"))
    }

    /// Eight processes read at random, alone and while this one commits.
    func readers(_ found: Measured) throws {
        let pool = try Pool(path, count: experts, size: size)
        try pool.check()
        let span = quick ? 1.0 : 4.0
        var (growth, growthAlone, payload) = (0.0, 0.0, 0.0)
        // Twice a second, as a trainer might.
        let steps = Int(span * 2)
        for round in 1...rounds {
            let quiet = try readAll(span) {}
            let before = try bytesOnDisk(path)
            let busy = try readAll(span) {
                for step in 0..<steps {
                    let number = round * 100 + step
                    let work = pool.changes(round: number, count: changes)
                    Thread.sleep(forTimeInterval: 0.4)
                    try pool.commit(work, "round \(number)")
                    payload += Double(changes * size)
                }
            }
            growth += try bytesOnDisk(path) - before
            // As many commits that nobody reads beside: what the others grow more is due to readers.
            let beforeAlone = try bytesOnDisk(path)
            for step in steps..<2 * steps {
                let number = round * 100 + step
                try pool.commit(pool.changes(round: number, count: changes), "round \(number)")
            }
            growthAlone += try bytesOnDisk(path) - beforeAlone
            found.add("reads_per_second_alone", quiet.reads, unit: "count")
            found.add("reads_per_second_during", busy.reads, unit: "count")
            found.add("failures", quiet.failures + busy.failures, unit: "count")
        }
        found.add("file_growth", growth, unit: "bytes")
        found.add("file_growth_alone", growthAlone, unit: "bytes")
        found.add("payload_bytes", payload, unit: "bytes")
    }

    private func readAll(
        _ span: Double, _ body: () throws -> Void
    ) throws -> (reads: Double, failures: Double) {
        var processes: [(Process, Pipe)] = []
        for _ in 0..<8 { processes.append(try start("reader", ["--rounds", "\(Int(span * 10))"])) }
        try body()
        var sum = (reads: 0.0, failures: 0.0)
        for (process, pipe) in processes {
            let (reads, failures) = try finish(process, pipe)
            sum.reads += reads
            sum.failures += failures
        }
        return sum
    }

    /// Reads random experts for a tenth of a second a round; one in a thousand is hashed.
    func read() throws {
        let pool = try Pool(opening: path, count: experts, size: size)
        let snapshot = try pool.snapshots.map(try pool.head)
        let table = try SnapshotWeights(snapshot).experts(layer: 0)
        guard let mapped = snapshot.experts(layer: 0, pool: ExpertPool.base) else {
            throw Failure("no experts")
        }
        let clock = ContinuousClock()
        let end = clock.now + .milliseconds(100 * rounds)
        var generator = SystemRandomNumberGenerator()
        var (reads, failures, sum) = (0.0, 0.0, UInt64(0))
        let start = clock.now
        while clock.now < end {
            let ordinals = (0..<1000).map { _ in
                UInt32.random(in: 0..<UInt32(experts), using: &generator)
            }
            do {
                try table.visit(ordinals.span) { _, expert in
                    for offset in stride(from: 0, to: size, by: 64) {
                        sum &+= expert.number(at: offset, as: UInt64.self)
                    }
                }
                let object = try mapped.expert(Int(ordinals[0]))
                try expect(
                    object.header.id(of: object.payload.bytes) == object.id,
                    "expert \(ordinals[0]) has other bytes than its name says")
            } catch {
                failures += 1
                FileHandle.standardError.write(Data("reader: \(error)\n".utf8))
            }
            reads += 1000
        }
        print(reads / ((clock.now - start) / .seconds(1)), sum == 0 ? failures + 1 : failures)
    }

    private func start(_ name: String, _ words: [String]) throws -> (Process, Pipe) {
        let process = Process()
        process.executableURL = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
        process.arguments =
            [name, "--dir", dir, "--experts", "\(experts)", "--size", "\(size)"] + words
        let pipe = Pipe()
        process.standardOutput = pipe
        try process.run()
        return (process, pipe)
    }

    /// The two numbers that a helper process prints.
    private func finish(_ process: Process, _ pipe: Pipe) throws -> (Double, Double) {
        let output = String(
            decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        let numbers = output.split { $0 == " " || $0 == "\n" }.compactMap { Double($0) }
        guard process.terminationStatus == 0, numbers.count == 2 else {
            throw Failure("a helper process failed: \(output)")
        }
        return (numbers[0], numbers[1])
    }
}
