import Elements
import Files
import Glibc
import KeyValue
import Objects
import Snapshots
import TestSupport
import Testing

@Suite("Flipped bits")
struct FlipTests {
    /// Flips in each region: few in the suite, as many as `CAMBIUM_FLIPS` says on request.
    private static let count: Int = {
        guard let text = unsafe getenv("CAMBIUM_FLIPS") else { return 6 }
        return unsafe Int(String(cString: text)) ?? 6
    }()

    /// The bytes of a store with a history, a second branch, small and large records, and free pages;
    /// and the model at each of its heads.
    private func makeStore(
        _ path: String
    ) throws -> (bytes: [UInt8], heads: [ObjectID: SyntheticModel]) {
        try SnapshotStore.create(at: path)
        var heads: [ObjectID: SyntheticModel] = [:]
        do {
            let store = try SnapshotStore.open(path)
            var model = SyntheticModel.sample(experts: 400)
            for step in 1...24 {
                model.edit(step * 3, seed: step)
                let message = String(repeating: "a long message ", count: 20)
                let id = try store.commit(model, time: Int64(step), message: message).id
                if step == 12 {
                    try store.createReference(.branch, "side", at: id, by: .sample)
                    try store.createReference(.tag, "v1", at: id, by: .sample)
                }
                if step == 12 || step == 24 { heads[id] = model }
            }
            _ = try store.collect(prune: true, now: 20, grace: 10)
        }
        return (try readStoreFile(path + "/data.mdb", limit: 1 << 26), heads)
    }

    private func faults(_ path: String) throws -> [VerificationFault] {
        try SnapshotStore.verify(at: path, fast: false).faults
    }

    @Test("verification finds every flipped bit of what is in use, and no flip ends it by a signal")
    func everyRegion() throws {
        var generator = SeededGenerator.announced()
        try withScratchDirectory { directory in
            let (sound, heads) = try makeStore(directory + "/store")
            let regions = FileRegions(sound).regions
            #expect(regions.keys.contains("branch keys"))
            #expect(regions.keys.contains("free list values"))
            #expect(regions.keys.contains("overflow header"))
            let path = directory + "/flipped"
            try makeDirectory(path)
            for (region, ranges) in regions.sorted(by: { $0.key < $1.key }) {
                var found = 0
                for _ in 0..<Self.count {
                    var bytes = sound
                    let all = ranges.reduce(0) { $0 + $1.count }
                    var position = Int.random(in: 0..<all, using: &generator)
                    let range = ranges.first { range in
                        if position < range.count { return true }
                        position -= range.count
                        return false
                    }
                    let place = try #require(range).lowerBound + position
                    let bit = UInt8.random(in: 0..<8, using: &generator)
                    bytes[place] ^= 1 << bit
                    try writeStoreFile(path + "/data.mdb", bytes)
                    let isFound = try !faults(path).isEmpty
                    found += isFound ? 1 : 0
                    if !isFound, ["free list keys", "branch keys"].contains(region) {
                        // Another transaction in order (when pages came free matters to no one), or
                        // another key that parts the pages below as well: a sound tree.
                        try expectWritable(path, heads)
                    } else {
                        #expect(isFound, "\(region): byte \(place), bit \(bit)")
                    }
                }
                if Self.count > 6 { print("\(region): \(found) of \(Self.count) found") }
            }
        }
    }

    /// The store takes commits, and what it held is still there.
    private func expectWritable(_ path: String, _ heads: [ObjectID: SyntheticModel]) throws {
        let store = try SnapshotStore.open(path)
        var other = SyntheticModel.sample(experts: 300)
        for step in 1...3 {
            other.edit(step, seed: 100 + step)
            try store.commit(other, to: "new", time: 30, startingBranch: step == 1)
        }
        for (id, model) in heads { #expect(try store.model(at: id) == model) }
    }

    @Test("a store whose list of free pages is damaged is read, and refuses to be written")
    func freeList() throws {
        try withScratchDirectory { directory in
            let (sound, heads) = try makeStore(directory + "/store")
            let values = try #require(FileRegions(sound).regions["free list values"]?.first)
            let path = directory + "/flipped"
            try makeDirectory(path)
            var bytes = sound
            // The greatest page of the first list becomes another page, perhaps one in use.
            bytes[values.lowerBound + 8] ^= 1
            try writeStoreFile(path + "/data.mdb", bytes)
            let store = try SnapshotStore.open(path)
            for (id, model) in heads { #expect(try store.model(at: id) == model) }
            let error = #expect(throws: CambiumError.self) {
                try store.commit(.sample(experts: 5), to: "new", time: 30, startingBranch: true)
            }
            #expect(error?.code == .corrupt)
            #expect(error?.message.contains("cambium verify") == true)
            #expect(try readStoreFile(path + "/data.mdb", limit: 1 << 26) == bytes)
        }
    }
}
