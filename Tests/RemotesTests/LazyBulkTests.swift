import Elements
import Files
import KeyValue
import Objects
import Remotes
import Snapshots
import Synchronization
import TestSupport
import Testing

@Suite("Lazy clones: data and their cache")
struct LazyBulkTests {
    /// Some packs in a remote in memory.
    private struct Packs {
        let transport = MemoryTransport()
        var names: [ObjectID] = []
        var contents: [ObjectID: [UInt8]] = [:]

        init(_ sizes: [Int]) throws {
            for (seed, size) in sizes.enumerated() {
                let bytes = noise(size, seed + 1)
                let name = ObjectID(hashing: bytes)
                try transport.write("packs/" + name.hex, TransportBody(bytes))
                names.append(name)
                contents[name] = bytes
            }
        }

        func expected(_ range: BulkRange) -> [UInt8] {
            Array(contents[range.pack]?[range.range] ?? [])
        }

        /// A range at random, of some hundred bytes mostly.
        func range(_ random: inout SeededGenerator) -> BulkRange {
            let name = names[Int.random(in: 0..<names.count, using: &random)]
            let size = contents[name]?.count ?? 0
            let count = Int.random(in: 0...9, using: &random) == 0 ? size / 3 : min(600, size)
            let start = Int.random(in: 0...(size - count), using: &random)
            return BulkRange(name, start..<(start + count))
        }
    }

    private func folderSize(_ folder: String) throws -> Int {
        try directoryContents(folder).reduce(0) {
            $0 + (occupation(of: folder + "/" + $1)?.bytes ?? 0)
        }
    }

    private func expect(_ lazy: LazyBulk, _ packs: Packs, _ ranges: [BulkRange]) throws {
        for (range, bytes) in zip(ranges, try lazy.read(ranges)) {
            let isSame = bytes.copy() == packs.expected(range)
            #expect(isSame, "\(range)")
        }
    }

    @Test("what was fetched once is not fetched again, by this process or another")
    func once() throws {
        try withScratchDirectory { directory in
            let packs = try Packs([100_000, 3_000, 50_000])
            let folder = directory + "/cache"
            var random = SeededGenerator(seed: 5)
            let ranges = (0..<40).map { _ in packs.range(&random) }
            let lazy = LazyBulk(cache: folder, limit: 10 << 20) { [packs.transport] }
            try expect(lazy, packs, ranges)
            let counts = lazy.counts
            #expect(counts.requests > 0 && counts.fetched <= 153_000)
            try expect(lazy, packs, ranges.reversed())
            #expect(lazy.counts.requests == counts.requests)
            let other = LazyBulk(cache: folder, limit: 10 << 20) { [] }
            try expect(other, packs, ranges)
            #expect(other.counts.requests == 0 && other.counts.cached > 0)
        }
    }

    @Test(
        "the folder keeps to its limit, whatever is read, and the bytes are right",
        arguments: [0, 9_000, 40_000, 200_000])
    func bounded(limit: Int) throws {
        try withScratchDirectory { directory in
            let packs = try Packs([30_000, 70_000, 20_000, 50_000, 90_000, 10_000])
            let folder = directory + "/cache"
            let lazy = LazyBulk(cache: folder, limit: limit) { [packs.transport] }
            var random = SeededGenerator(seed: UInt64(limit))
            for _ in 0..<150 {
                try expect(lazy, packs, (0..<3).map { _ in packs.range(&random) })
                // A file takes whole pages, and a list beside it.
                if fileExists(folder) { #expect(try folderSize(folder) <= limit + 16_384) }
            }
        }
    }

    @Test("what a crash or somebody left of the files is used or done without")
    func crashes() throws {
        try withScratchDirectory { directory in
            let packs = try Packs([60_000])
            let folder = directory + "/cache"
            let base = folder + "/" + packs.names[0].hex
            let ranges = [100..<200, 5_000..<9_000, 59_000..<60_000].map {
                BulkRange(packs.names[0], $0)
            }
            func lazy() -> LazyBulk {
                LazyBulk(cache: folder, limit: 10 << 20) { [packs.transport] }
            }
            try expect(lazy(), packs, ranges)
            let list = try readStoreFile(base + ".have", limit: 10_000)
            for count in 0...list.count {
                try writeStoreFile(base + ".have", Array(list[..<count]))
                let again = lazy()
                try expect(again, packs, ranges)
                // Whole entries are believed.
                #expect(again.counts.cached > 0 || count < 24)
            }
            for offset in list.indices {
                var damaged = list
                damaged[offset] ^= 64
                try writeStoreFile(base + ".have", damaged)
                try expect(lazy(), packs, ranges)
            }
            try removeFile(base + ".data")
            try expect(lazy(), packs, ranges)
            try writeStoreFile(base + ".data", [1, 2, 3])
            let short = lazy()
            _ = try short.read(ranges)
            #expect(short.counts.fetched > 0)
            // A user's own file is none of the cache's.
            try writeStoreFile(folder + "/notes.txt", noise(9_000, 3))
            let tiny = LazyBulk(cache: folder, limit: 8_000) { [packs.transport] }
            _ = try tiny.read([BulkRange(packs.names[0], 1..<7_000)])
            #expect(fileExists(folder + "/notes.txt"))
        }
    }

    @Test("a folder that cannot be made costs no reader anything but its use")
    func noFolder() throws {
        try withScratchDirectory { directory in
            let packs = try Packs([60_000])
            try writeStoreFile(directory + "/cache", [1])
            let lazy = LazyBulk(cache: directory + "/cache", limit: 10 << 20) { [packs.transport] }
            for _ in 0..<2 { try expect(lazy, packs, [BulkRange(packs.names[0], 7..<900)]) }
            #expect(lazy.counts.requests == 2)
        }
    }

    @Test(
        "many threads and two users of one folder get what they ask for, each byte fetched once by a user"
    )
    func together() throws {
        try withScratchDirectory { directory in
            let packs = try Packs([300_000, 200_000])
            let folder = directory + "/cache"
            let slow = FaultyTransport(packs.transport, .waits(.milliseconds(2))) { _, _ in true }
            let users = (0..<2).map { _ in
                LazyBulk(cache: folder, limit: 4 << 20, jobs: 3) { [slow] }
            }
            let ranges = (0..<60).map {
                BulkRange(packs.names[$0 % 2], $0 * 3_000..<($0 * 3_000 + 2_500))
            }
            let threads = (0..<8).map { number in
                Background { () -> Bool in
                    (try? ranges.indices.allSatisfy { index in
                        let range = ranges[(index * 7 + number * 13) % ranges.count]
                        return try users[number % 2].read([range])[0].copy()
                            == packs.expected(range)
                    }) == true
                }
            }
            #expect(threads.allSatisfy { $0.wait() })
            let size = ranges.reduce(0) { $0 + $1.count }
            // Between looking into the folder and asking, another thread may have got it.
            for user in users { #expect(user.counts.fetched <= size * 11 / 10) }
        }
    }

    @Test("two users of one small folder take each other's files away and read right bytes")
    func fighting() throws {
        try withScratchDirectory { directory in
            let packs = try Packs([30_000, 70_000, 20_000, 50_000])
            let folder = directory + "/cache"
            let threads = (0..<4).map { number in
                Background { () -> Int in
                    let lazy = LazyBulk(cache: folder, limit: 30_000) { [packs.transport] }
                    var random = SeededGenerator(seed: UInt64(number))
                    var wrong = 0
                    for _ in 0..<150 {
                        let range = packs.range(&random)
                        guard let bytes = try? lazy.read([range])[0] else { return -1 }
                        if bytes.copy() != packs.expected(range) {
                            // As whoever hashes it does.
                            wrong += 1
                            lazy.forget([range])
                        }
                    }
                    return wrong
                }
            }
            for thread in threads { #expect((0..<20).contains(thread.wait())) }
        }
    }

    @Test("remotes are asked one after the other, and none says what is missing")
    func several() throws {
        let packs = try Packs([5_000])
        let range = BulkRange(packs.names[0], 3..<4_000)
        let empty = MemoryTransport()
        let dead = FaultyTransport(packs.transport, .deadBefore, at: 1)
        try expect(LazyBulk(cache: nil, limit: 0) { [empty, packs.transport] }, packs, [range])
        try expect(LazyBulk(cache: nil, limit: 0) { [dead, packs.transport] }, packs, [range])
        for (remotes, code) in [
            ([], CambiumError.Code.remote), ([empty], .remote), ([empty, dead], .network),
        ] as [([any Transport], CambiumError.Code)] {
            let lazy = LazyBulk(cache: nil, limit: 0) { remotes }
            let error = #expect(throws: CambiumError.self) { try lazy.read([range]) }
            #expect(error?.code == code)
        }
        let short = FaultyTransport(packs.transport, .shortens) { _, _ in true }
        let lazy = LazyBulk(cache: nil, limit: 0) { [short] }
        #expect(throws: CambiumError.self) { try lazy.read([range]) }
        // Nobody waits for ever for what failed.
        #expect(throws: CambiumError.self) { try lazy.read([range, range]) }
    }

    @Test("a remote that is away is told apart from one that no longer has a pack")
    func away() throws {
        try withScratchDirectory { directory in
            let packs = try Packs([5_000])
            let there = MemoryTransport()
            try Remote(there).prepare()
            let folder = FileRemote(directory + "/unmounted")
            for (remotes, words) in [
                ([there], "a collection removed it"), ([folder], "no remote at file://"),
                ([there, folder], "no remote at file://"),
            ] as [([any Transport], String)] {
                let lazy = LazyBulk(cache: nil, limit: 0) { remotes }
                let error = #expect(throws: CambiumError.self) {
                    try lazy.read([BulkRange(packs.names[0], 3..<4_000)])
                }
                #expect(error?.code == .remote && error?.message.contains(words) == true)
            }
        }
    }

    @Test("sizes of the setting, and what says nothing")
    func setting() throws {
        try withStore { store in
            try LazyBulk.attach(to: store, cache: "20k") { [] }
            let first = store.environment.promisedBulk
            try LazyBulk.attach(to: store, cache: nil) { [] }
            #expect(first != nil && first === store.environment.promisedBulk)
        }
        for text in ["", "many", "-1", "nan", "inf", "99999999999999999999", "9999999999G", "G"] {
            try withStore { store in
                let error = #expect(throws: CambiumError.self) {
                    try LazyBulk.attach(to: store, cache: text) { [] }
                }
                #expect(error?.code == .usage)
            }
        }
    }

    @Test(
        "a whole store comes through the cache, damaged bytes of it are fetched anew, and a lying remote is named"
    )
    func store() throws {
        let model = SyntheticModel.sample(experts: 200)
        try withStore { store in
            let id = try store.commit(model).id
            let transport = MemoryTransport()
            for (name, bytes) in try store.environment.promiseAll().packs {
                try transport.write("packs/" + name.hex, TransportBody(bytes.copy()))
            }
            func attach(_ remote: any Transport, cache: String = "64M") throws -> LazyBulk {
                store.environment.promisedBulk = nil
                try LazyBulk.attach(to: store, cache: cache) { [remote] }
                return try #require(store.environment.promisedBulk as? LazyBulk)
            }
            func reads() throws -> Bool { try store.model(at: id, checks: true) == model }

            let lazy = try attach(transport)
            #expect(try reads())
            let fetched = lazy.counts.fetched
            #expect(fetched > 0 && fetched < 2 * transport.size)
            #expect(try reads())
            #expect(lazy.counts.fetched == fetched)
            // No byte of the folder is right any more.
            let folder = store.directory + "/cache"
            for name in try directoryContents(folder) where name.hasSuffix(".data") {
                let bytes = try readStoreFile(folder + "/" + name, limit: 1 << 30)
                try writeStoreFile(folder + "/" + name, bytes.map { $0 ^ 1 })
            }
            let again = try attach(transport)
            #expect(try reads())
            #expect(again.counts.cached > 0 && again.counts.fetched > 0)
            let last = try attach(MemoryTransport())
            #expect(try reads())
            #expect(last.counts.requests == 0)

            let liar = FaultyTransport(transport, .flips) { _, _ in true }
            _ = try attach(liar, cache: "0")
            let error = #expect(throws: CambiumError.self) { try reads() }
            #expect(error?.code == .corrupt)
        }
    }
}

@Suite("Lazy clones: plans and extents")
struct ReadPlanTests {
    private let pack = ObjectID(hashing: [1])

    private func reads(_ ranges: [Range<Int>]) -> [Range<Int>] {
        ReadPlan(ranges.map { BulkRange(pack, $0) }).reads.map(\.range)
    }

    @Test("neighbours are read at once as long as little comes besides")
    func gaps() {
        #expect(reads([]) == [])
        #expect(reads([5..<5]) == [])
        #expect(reads([100..<200, 0..<100]) == [0..<200])
        #expect(reads([0..<100, 50..<300, 60..<70]) == [0..<300])
        // A quarter of what is wanted, the shortest gaps first.
        #expect(reads([0..<100, 120..<220]) == [0..<220])
        #expect(reads([0..<100, 160..<260]) == [0..<100, 160..<260])
        #expect(reads([0..<100, 160..<260, 280..<380]) == [0..<100, 160..<380])
        // Never more than the longest gap.
        let large = 8 << 20
        #expect(reads([0..<large, (large + 300_000)..<(2 * large)]).count == 2)
        #expect(reads([0..<large, (large + 200_000)..<(2 * large)]) == [0..<(2 * large)])
    }

    @Test("long ranges are read in parts, and packs apart")
    func parts() {
        let whole = 40 << 20
        #expect(
            reads([10..<whole]) == [
                10..<((16 << 20) + 10), ((16 << 20) + 10)..<((32 << 20) + 10),
                ((32 << 20) + 10)..<whole,
            ])
        let other = ObjectID(hashing: [2])
        let plan = ReadPlan([BulkRange(pack, 0..<10), BulkRange(other, 10..<20)])
        #expect(plan.reads.count == 2)
    }

    @Test("random plans bring all that is wanted and at most a quarter more", arguments: 0..<20)
    func random(seed: Int) {
        var random = SeededGenerator(seed: UInt64(seed))
        let wanted = (0..<50).map { _ -> Range<Int> in
            let start = Int.random(in: 0..<100_000, using: &random)
            return start..<(start + Int.random(in: 0..<3_000, using: &random))
        }
        var needed = ByteExtents()
        for range in wanted { needed.insert(range) }
        var read = ByteExtents()
        for range in reads(wanted) { read.insert(range) }
        #expect(wanted.allSatisfy { read.contains($0) })
        func size(_ extents: ByteExtents) -> Int { extents.ranges.reduce(0) { $0 + $1.count } }
        #expect(size(read) * 4 <= size(needed) * 5)
    }

    @Test("extents are a set of bytes", arguments: 0..<20)
    func extents(seed: Int) {
        var random = SeededGenerator(seed: UInt64(seed))
        var extents = ByteExtents()
        var bytes = [Bool](repeating: false, count: 200)
        for _ in 0..<200 {
            let start = Int.random(in: 0..<200, using: &random)
            let range = start..<Int.random(in: start...200, using: &random)
            let adds = Int.random(in: 0..<3, using: &random) > 0
            if adds { extents.insert(range) } else { extents.remove(range) }
            for index in range { bytes[index] = adds }
            let probe = Int.random(in: 0..<200, using: &random)
            let end = Int.random(in: probe...200, using: &random)
            #expect(extents.contains(probe..<end) == (probe..<end).allSatisfy { bytes[$0] })
            var runs: [Range<Int>] = []
            for index in bytes.indices where bytes[index] {
                if let last = runs.last, last.upperBound == index {
                    runs[runs.count - 1] = last.lowerBound..<(index + 1)
                } else {
                    runs.append(index..<(index + 1))
                }
            }
            #expect(extents.ranges == runs)
        }
    }
}
