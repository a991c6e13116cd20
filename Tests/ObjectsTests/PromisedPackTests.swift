import Elements
import KeyValue
import Objects
import TestSupport
import Testing

@Suite("Promised packs")
struct PromisedPackTests {
    private func withEnvironment<Result>(_ body: (Environment) throws -> Result) throws -> Result {
        try withScratchDirectory { directory in
            try body(
                try EnvironmentRegistry.open(
                    directory, tables: ObjectStore.tables,
                    readOnly: false, creating: true))
        }
    }

    private func header(_ count: Int) throws -> ObjectHeader {
        try ObjectHeader(.tensor, [TensorShape(.u8, [count])])
    }

    /// Stores objects, each as a difference from the one of the same position in `before`, where it is worth it.
    @discardableResult
    private func store(
        _ environment: Environment, _ objects: [[UInt8]], after before: [ObjectID] = []
    ) throws -> [ObjectID] {
        var staging = try ObjectStaging(environment)
        var ids: [ObjectID] = []
        for (index, object) in objects.enumerated() {
            let header = try header(object.count)
            let id = header.id(of: object.raw)
            try staging.put(
                id, header, object.raw,
                after: index < before.count ? .object(before[index]) : nil)
            ids.append(id)
        }
        try flush(&staging, environment)
        return ids
    }

    private func flush(_ staging: inout ObjectStaging, _ environment: Environment) throws {
        try staging.finish()
        var copy = staging
        try environment.write("test") { transaction in
            try copy.flush(transaction)
        }
        staging = copy
    }

    private func read(_ environment: Environment, _ id: ObjectID) throws -> [UInt8] {
        try environment.read { transaction in
            let object = try ObjectReader(transaction).object(id, transaction)
            try object.check()
            #expect(!object.isMapped)
            return object.payload.copy()
        }
    }

    private func packs(_ environment: Environment) throws -> [Pack] {
        try environment.read { transaction in
            var packs: [Pack] = []
            try transaction.scan(environment.table(ObjectStore.packTable)) { key, record in
                packs.append(try Pack(number: try PackFormat.packNumber(key), record: record))
                return true
            }
            return packs
        }
    }

    /// Objects of many sizes, and a version of each in which little differs.
    private static let first = [10, 0, 200, 64, 30_000, 70_000, 40_000].map { noise($0, $0) }
    private static let second = first.map { bytes in
        var bytes = bytes
        for index in stride(from: 0, to: bytes.count, by: 500) { bytes[index] &+= 1 }
        return bytes
    }

    @Test(
        "objects of raw packs and of differences come when they are read, each alone, and are what they were"
    )
    func reads() throws {
        try withEnvironment { environment in
            let old = try store(environment, Self.first)
            let new = try store(environment, Self.second, after: old)
            let before = try packs(environment)
            #expect(before.contains { !$0.predecessors.isEmpty })
            let remote = try environment.promiseAll()
            let after = try packs(environment)
            #expect(after.map(\.predecessors.count) == before.map(\.predecessors.count))
            #expect(after.allSatisfy { $0.isPromised })
            #expect(after.map(\.stub) == before.map(\.stub))
            for pack in after {
                #expect(pack.record.count % 4096 == 4080 && pack.bulk.isEmpty)
                let same = try #require(before.first { $0.number == pack.number })
                for index in 0..<pack.count {
                    #expect(pack.location(index) == same.location(index))
                    #expect(pack.id(index) == same.id(index))
                    #expect(pack.header(index) == same.header(index))
                }
            }
            #expect(remote.calls == 0)
            for (id, bytes) in zip(old, Self.first) {
                remote.reset()
                #expect(try read(environment, id) == bytes)
                #expect(remote.calls == (bytes.isEmpty ? 0 : 1) && remote.bytesRead == bytes.count)
            }
            for (id, bytes) in zip(new, Self.second) { #expect(try read(environment, id) == bytes) }
            // The way back: with its data a pack is what it was.
            for (pack, promised) in zip(before, after) {
                let place = try #require(promised.promise)
                let bulk = try remote.read([place])[0]
                let stub = try PackStub(promised.stub, head: pack.bulk.lowerBound)
                let record = try stub.record(with: bulk.bytes)
                #expect(record == pack.record.copy())
            }
        }
    }

    @Test("what a whole pack needs is asked for at once")
    func together() throws {
        try withEnvironment { environment in
            let old = try store(environment, Self.first)
            let new = try store(environment, Self.second, after: old)
            let remote = try environment.promiseAll()
            for pack in try packs(environment) where pack.count > 1 {
                remote.reset()
                let decoded = try environment.read { transaction in
                    try ObjectReader(transaction).readable(pack, transaction)
                }
                #expect(remote.calls == 1, "pack \(pack.number)")
                for (id, bytes) in zip(old + new, Self.first + Self.second) {
                    for index in 0..<decoded.count where decoded.id(index) == id {
                        #expect(decoded.payload(index).copy() == bytes)
                    }
                }
            }
        }
    }

    @Test("without a remote the data are missed by name, and the rest is there")
    func noRemote() throws {
        try withEnvironment { environment in
            let ids = try store(environment, Self.first)
            try environment.promiseAll()
            environment.promisedBulk = nil
            for (id, bytes) in zip(ids, Self.first) where !bytes.isEmpty {
                let error = #expect(throws: CambiumError.self) { try read(environment, id) }
                #expect(error?.code == .remote)
                #expect(error?.message.contains("cambium remote") == true)
                let place = try environment.read { transaction in
                    try ObjectReader(transaction).location(of: id, transaction)
                }
                #expect(place != nil)
            }
        }
    }

    @Test(
        "a remote that lies, cuts short or is away gives nothing",
        arguments: [FakeRemote.Fault.wrong, .short, .absent])
    func faults(_ fault: FakeRemote.Fault) throws {
        try withEnvironment { environment in
            let old = try store(environment, Self.first)
            let new = try store(environment, Self.second, after: old)
            let remote = try environment.promiseAll()
            remote.fail(fault)
            for (id, bytes) in zip(old + new, Self.first + Self.second) where !bytes.isEmpty {
                let error = #expect(throws: CambiumError.self) { try read(environment, id) }
                #expect(error?.code == (fault == .wrong ? .corrupt : .network))
                if fault == .wrong {
                    let place = try #require(remote.ranges.last)
                    #expect(remote.forgotten.contains(place))
                    #expect(error?.message.contains(place.pack.hex) == true)
                }
            }
            remote.fail(nil)
            for (id, bytes) in zip(old + new, Self.first + Self.second) {
                #expect(try read(environment, id) == bytes)
            }
        }
    }

    @Test("bytes that were damaged where they were kept are asked for once more")
    func again() throws {
        try withEnvironment { environment in
            let old = try store(environment, Self.first)
            let new = try store(environment, Self.second, after: old)
            let remote = try environment.promiseAll()
            for (id, bytes) in zip(old + new, Self.first + Self.second) where !bytes.isEmpty {
                remote.fail(.wrong, times: 1)
                #expect(try read(environment, id) == bytes)
            }
        }
    }

    @Test("a remote whose table of differences agrees with wrong bytes is found out by the name")
    func lyingTable() throws {
        try withEnvironment { environment in
            let old = try store(environment, [Self.first[4]])
            let new = try store(environment, [Self.second[4]], after: old)
            // The differences of another version, with its checksum, under the name of this one.
            let remote = try environment.promiseAll()
            let pack = try #require(try packs(environment).first { !$0.predecessors.isEmpty })
            var other = Self.second[4]
            other[77] &+= 1
            try withEnvironment { second in
                let base = try store(second, [Self.first[4]])
                try store(second, [other], after: base)
                let wrong = try #require(try packs(second).first { !$0.predecessors.isEmpty })
                var stub = wrong.stub
                // Its directory names what this store's pack names; the checksum is made anew.
                let directory = 32 + 8 + 2 + pack.header(0).encoded.count
                stub.replaceSubrange(
                    (stub.count - directory)..., with: pack.stub.suffix(directory))
                stub.replaceSubrange(32..<48, with: pack.stub[32..<48])
                let name = remote.add(wrong.record.slice(wrong.bulk).copy())
                let record = try PromisedPack.record(
                    stub: stub, at: BulkRange(name, 0..<wrong.bulk.count))
                try environment.write("lie") { transaction in
                    try ObjectStaging.replaceRecord(pack.number, with: record, transaction)
                }
            }
            let error = #expect(throws: CambiumError.self) { try read(environment, new[0]) }
            #expect(error?.code == .corrupt)
            #expect(!remote.forgotten.isEmpty)
        }
    }

    @Test("stubs and places that contradict each other are refused")
    func refused() throws {
        try withEnvironment { environment in
            try store(environment, Self.first)
            let pack = try #require(try packs(environment).first { $0.count > 1 })
            let name = ObjectID(hashing: [1])
            let place = BulkRange(name, 5..<(5 + pack.bulk.count))
            let record = try PromisedPack.record(stub: pack.stub, at: place)
            #expect(try Pack(number: 1, record: MappedBytes(copying: record)).promise == place)
            for (stub, range) in [
                (pack.stub, 0..<pack.bulk.count + 1), (pack.stub, 0..<pack.bulk.count - 64),
                (Array(pack.stub.dropLast()), 0..<pack.bulk.count), ([], 0..<10),
                (pack.stub, (1 << 53) + 1..<(1 << 53) + 1 + pack.bulk.count),
            ] {
                let error = #expect(throws: CambiumError.self) {
                    try PromisedPack.record(stub: stub, at: BulkRange(name, range))
                }
                #expect(error?.code == .corrupt)
            }
        }
    }

    @Test("no flipped bit of a promised record traps, and none gives other bytes")
    func flips() throws {
        try withEnvironment { environment in
            let old = try store(environment, Self.first)
            try store(environment, Self.second, after: old)
            let known = Dictionary(
                zip(old, Self.first).map { ($0, $1) }
                    + (try store(environment, Self.second)).enumerated().map {
                        ($1, Self.second[$0])
                    }, uniquingKeysWith: { first, _ in first })
            let remote = try environment.promiseAll()
            for pack in try packs(environment) {
                let record = pack.record.copy()
                for offset in 0..<pack.used {
                    var damaged = record
                    damaged[offset] ^= 1 << UInt8(offset % 8)
                    guard
                        let other = try? Pack(
                            number: pack.number, record: MappedBytes(copying: damaged))
                    else { continue }
                    try environment.read { transaction in
                        let readable = try? ObjectReader(transaction).readable(other, transaction)
                        guard let readable else { return }
                        for index in 0..<readable.count
                        where (try? readable.stored(index).check()) != nil {
                            #expect(readable.payload(index).copy() == known[readable.id(index)])
                        }
                    }
                }
            }
            #expect(remote.calls > 0)
        }
    }

    @Test("a pack of another store is staged as it is, its known objects left out")
    func staged() throws {
        try withEnvironment { source in
            let ids = try store(source, Self.first)
            let originals = try packs(source)
            let remote = try source.promiseAll()
            let records = try packs(source).map { $0.record.copy() }
            try withEnvironment { target in
                // One object is here already, raw.
                try store(target, [Self.first[2]])
                var staging = try ObjectStaging(target)
                for record in records {
                    for place in try staging.put(record: record) {
                        if case .stored(let location) = place { #expect(location.pack == 1) }
                    }
                }
                // Once more changes nothing.
                for record in records { try staging.put(record: record) }
                #expect(staging.newObjects == ids.count - 1 && staging.newBytes == 0)
                try flush(&staging, target)
                target.promisedBulk = remote
                for (id, bytes) in zip(ids, Self.first) {
                    try target.read { transaction in
                        let object = try ObjectReader(transaction).object(id, transaction)
                        #expect(object.payload.copy() == bytes)
                        #expect(object.isMapped == (id == ids[2]))
                    }
                }
                #expect(throws: CambiumError.self) { try staging.put(record: [1, 2, 3]) }
            }
            // Whole packs are staged in the same way.
            try withEnvironment { target in
                var staging = try ObjectStaging(target)
                for pack in originals { try staging.put(record: pack.record.copy()) }
                try flush(&staging, target)
                for (id, bytes) in zip(ids, Self.first) {
                    let data = try target.read { transaction in
                        try ObjectReader(transaction).data(id, transaction).bytes
                    }
                    #expect(data == bytes)
                }
            }
        }
    }

    @Test("storing again what is promised reads nothing, and what differs from it is stored raw")
    func onTop() throws {
        try withEnvironment { environment in
            let old = try store(environment, Self.first)
            let new = try store(environment, Self.second, after: old)
            let remote = try environment.promiseAll()
            let before = try packs(environment).count
            var staging = try ObjectStaging(environment)
            for (index, bytes) in (Self.first + Self.second).enumerated() {
                let header = try header(bytes.count)
                let predecessor = Predecessor.object((old + new)[index])
                let prepared = try staging.copies.prepared(header, bytes.raw, after: predecessor)
                #expect(prepared.id == (old + new)[index] && prepared.found?.isIntact == true)
                try staging.put(header, bytes.raw, prepared, after: predecessor)
            }
            #expect(staging.newObjects == 0)
            try flush(&staging, environment)
            #expect(try packs(environment).count == before)
            var third = Self.second[4]
            third[4000] &+= 1
            let id = try store(environment, [third], after: [new[4]])[0]
            #expect(remote.calls == 0)
            try environment.read { transaction in
                let object = try ObjectReader(transaction).object(id, transaction)
                #expect(object.isMapped && object.payload.copy() == third)
            }
        }
    }
}
