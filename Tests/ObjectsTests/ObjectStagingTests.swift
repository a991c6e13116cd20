import Elements
import KeyValue
import Objects
import TestSupport
import Testing

@Suite("Staging and finding objects")
struct ObjectStagingTests {
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

    @discardableResult
    private func store(_ environment: Environment, _ objects: [[UInt8]]) throws -> [ObjectID] {
        var staging = try ObjectStaging(environment)
        var ids: [ObjectID] = []
        for object in objects {
            ids.append(try staging.put(try header(object.count), object.raw))
        }
        try flush(&staging, environment)
        return ids
    }

    private func flush(_ staging: inout ObjectStaging, _ environment: Environment) throws {
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
            // In memory every object starts at a multiple of 64.
            let address = unsafe object.payload.withUnsafeBytes {
                UInt(bitPattern: $0.baseAddress)
            }
            #expect(address % 64 == 0)
            return object.payload.copy()
        }
    }

    @Test(
        "objects of any size read back, aligned",
        arguments: [0, 1, 63, 64, 65, 4095, 4096, 65_535, 65_536, 65_537, 1 << 20, 3_000_000])
    func sizes(count: Int) throws {
        try withEnvironment { environment in
            let objects = [noise(count, 1), noise(10, 2), noise(count, 3)]
            let ids = try store(environment, objects)
            for (id, object) in zip(ids, objects) {
                #expect(try read(environment, id) == object)
            }
        }
    }

    @Test(
        "what is byte by byte what it takes the place of keeps its name, everything else is told apart"
    )
    func unchanged() throws {
        try withEnvironment { environment in
            let objects = (0..<4).map { noise(200, $0) }
            let ids = try store(environment, objects)
            let shape = try header(200)
            var given = objects
            given[1][199] ^= 1
            let something = noise(5, 9)
            let unknown = ObjectID(hashing: [], something.raw)
            let all = given.flatMap { $0 }
            let staging = try ObjectStaging(environment)
            let found = try staging.copies.unchanged(
                all.raw, shape,
                after: [.object(ids[0]), .object(ids[1]), .object(unknown), nil])
            #expect(found.map { $0?.id } == [ids[0], nil, nil, nil])
            // Of another kind or shape nothing is the same.
            let other = try ObjectHeader(.tensor, [TensorShape(.i8, [200])])
            let first = objects[0]
            let none = try staging.copies.unchanged(first.raw, other, after: [.object(ids[0])])
            #expect(none[0] == nil)
        }
    }

    @Test("bytes that are not those of a damaged predecessor are hashed, and mend it")
    func damagedPredecessor() throws {
        try withEnvironment { environment in
            let object = noise(200, 1)
            let id = try store(environment, [object])[0]
            let shape = try header(200)
            try environment.write("damage") { transaction in
                let stored = try ObjectReader(transaction).object(id, transaction)
                let number = stored.location.pack
                guard let pack = try ObjectReader.packIfPresent(number, transaction) else { return }
                var record = pack.record.copy()
                record[48 + 64 * Int(stored.location.unit) + 7] ^= 1
                try ObjectStaging.replaceRecord(number, with: record, transaction)
            }
            var staging = try ObjectStaging(environment)
            // The damaged bytes themselves, read unchecked, make no new object of the damage.
            var damaged = object
            damaged[7] ^= 1
            #expect(try staging.copies.prepared(shape, damaged.raw, after: .object(id)).id == id)
            let prepared = try staging.copies.prepared(shape, object.raw, after: .object(id))
            #expect(prepared.id == id && prepared.found?.isIntact == false)
            try staging.put(shape, object.raw, prepared, after: .object(id))
            try flush(&staging, environment)
            #expect(try read(environment, id) == object)
        }
    }

    @Test("thousands of objects over many runs are all found, the absent ones are not")
    func many() throws {
        try withEnvironment { environment in
            var random = SeededGenerator.announced()
            var stored: [ObjectID: [UInt8]] = [:]
            for _ in 0..<90 {
                let objects = (0..<Int.random(in: 1...40, using: &random)).map { _ in
                    random.bytes(Int.random(in: 0...300, using: &random))
                }
                for (id, object) in zip(try store(environment, objects), objects) {
                    stored[id] = object
                }
            }
            try environment.read { transaction in
                let reader = try ObjectReader(transaction)
                for (id, object) in stored {
                    let found = try reader.object(id, transaction)
                    #expect(found.payload.copy() == object)
                    let prefix = String(id.hex.prefix(20))
                    let ids = try reader.ids(prefix: prefix, transaction)
                    #expect(ids == [id])
                }
                let all = try reader.ids(prefix: "", transaction)
                #expect(all == stored.keys.sorted())
                let some = try reader.ids(prefix: "a", transaction)
                #expect(some == stored.keys.filter { $0.hex.hasPrefix("a") }.sorted())
                for number in 0..<100 {
                    let absent = try reader.location(
                        of: ObjectID(hashing: [9, UInt8(number)]), transaction)
                    #expect(absent == nil)
                }
                let problems = try reader.indexProblems(transaction)
                #expect(problems.isEmpty)
                let runs = try transaction.wrappedEntries(ObjectStore.indexTable)
                #expect(runs < 24)
            }
        }
    }

    @Test("a known object is not stored again, in the same staging or a later one")
    func dedup() throws {
        try withEnvironment { environment in
            let object = noise(500, 1)
            try store(environment, [object, object])
            var staging = try ObjectStaging(environment)
            try staging.put(try header(500), object.raw)
            #expect(staging.newObjects == 0)
            #expect(staging.reusedObjects == 1 && staging.reusedBytes == 500)
            try staging.put(try header(3), [1, 2, 3].raw)
            #expect(staging.newObjects == 1 && staging.newBytes == 3)
        }
    }

    @Test("an object stored by two stagings at once is found, and its index is sound")
    func twice() throws {
        try withEnvironment { environment in
            var first = try ObjectStaging(environment)
            var second = try ObjectStaging(environment)
            let object = noise(500, 1)
            let id = try first.put(try header(500), object.raw)
            try second.put(try header(500), object.raw)
            try flush(&first, environment)
            try flush(&second, environment)
            #expect(try read(environment, id) == object)
            try environment.read { transaction in
                let reader = try ObjectReader(transaction)
                let location = try reader.location(of: id, transaction)
                // The newest copy counts.
                #expect(location?.pack == 2)
                let problems = try reader.indexProblems(transaction)
                #expect(problems.isEmpty)
            }
        }
    }

    @Test("ids that share their first eight bytes are told apart")
    func collisions() throws {
        try withEnvironment { environment in
            // Names that no hash would give: the index must not rely on the prefix.
            var staging = try ObjectStaging(environment)
            let ids = (0..<5).map { number in
                ObjectID(([UInt8](repeating: 7, count: 8) + noise(24, number)).raw)
            }
            for (number, id) in ids.enumerated() {
                try staging.put(id, try header(number), noise(number, number).raw)
            }
            let other = ObjectID(([UInt8](repeating: 7, count: 8) + noise(24, 9)).raw)
            #expect(try !staging.contains(other))
            try flush(&staging, environment)
            try environment.read { transaction in
                let reader = try ObjectReader(transaction)
                for (number, id) in ids.enumerated() {
                    let object = try reader.object(id, transaction)
                    #expect(object.id == id)
                    #expect(object.payload.copy() == noise(number, number))
                }
                let absent = try reader.location(of: other, transaction)
                #expect(absent == nil)
                let all = try reader.ids(prefix: "0707", transaction)
                #expect(all == ids.sorted())
                let one = try reader.ids(prefix: String(ids[3].hex.prefix(30)), transaction)
                #expect(one == [ids[3]])
            }
        }
    }

    @Test("a replaced index finds exactly what it is told to name")
    func replaced() throws {
        try withEnvironment { environment in
            let objects = (0..<200).map { noise(100, $0) }
            var ids: [ObjectID] = []
            for start in stride(from: 0, to: 200, by: 20) {
                ids += try store(environment, Array(objects[start..<(start + 20)]))
            }
            try environment.write("test") { transaction in
                let reader = try ObjectReader(transaction)
                var kept: [(id: ObjectID, location: Location)] = []
                for id in ids[10..<30] {
                    kept.append((id, try reader.object(id, transaction).location))
                }
                try ObjectStaging.replaceIndex(with: kept, transaction)
            }
            for (number, id) in ids.enumerated() {
                let isKept = (10..<30).contains(number)
                #expect((try? read(environment, id)) == (isKept ? objects[number] : nil))
            }
        }
    }

    @Test("moved objects are found at their new places, which the move tells")
    func moved() throws {
        try withEnvironment { environment in
            let objects = (0..<50).map { noise($0 == 25 ? 100_000 : 100, $0) }
            let ids = try store(environment, objects)
            try environment.write("test") { transaction in
                let reader = try ObjectReader(transaction)
                var chosen: [StoredObject] = []
                for id in ids[10..<30] { chosen.append(try reader.object(id, transaction)) }
                let places = try ObjectStaging.move(chosen, transaction)
                let later = try ObjectReader(transaction)
                for (id, place) in zip(ids[10..<30], places) {
                    let found = try later.location(of: id, transaction)
                    #expect(found == place)
                    let byPlace = try later.object(at: place, check: id.check, transaction)
                    #expect(byPlace.id == id)
                }
            }
            for (id, object) in zip(ids, objects) { #expect(try read(environment, id) == object) }
        }
    }

    @Test("packs that another thread writes hold what was staged, in its order")
    func background() throws {
        try withEnvironment { environment in
            var staging = try ObjectStaging(environment, flushThreshold: 100_000)
            var placements: [Placement] = []
            let objects = (0..<3_000).map { noise($0 % 50 == 0 ? 70_000 : 300, $0) }
            for object in objects {
                let header = try header(object.count)
                placements.append(try staging.put(header.id(of: object.raw), header, object.raw))
            }
            try staging.finish()
            try flush(&staging, environment)
            try environment.read { transaction in
                let reader = try ObjectReader(transaction)
                for (placement, object) in zip(placements, objects) {
                    let id = try ObjectHeader(.tensor, [TensorShape(.u8, [object.count])])
                        .id(of: object.raw)
                    let found = try reader.object(
                        at: staging.location(of: placement), check: id.check, transaction)
                    #expect(found.payload.copy() == object)
                }
                let problems = try reader.indexProblems(transaction)
                #expect(problems.isEmpty)
            }
        }
    }

    @Test(
        "an object that is written by itself is the pack that it would be otherwise",
        arguments: [70_000, 70_016, 1_048_577])
    func alone(size: Int) throws {
        var records: [[UInt8]] = []
        for limit in [size, .max] {
            try withEnvironment { environment in
                var staging = try ObjectStaging(environment, aloneLimit: limit)
                let objects = [noise(300, 1), noise(size, 2), noise(size + 1, 3), noise(300, 4)]
                var placements: [Placement] = []
                for object in objects + [objects[1]] {
                    let header = try header(object.count)
                    placements.append(
                        try staging.put(header.id(of: object.raw), header, object.raw))
                }
                #expect(placements[4] == placements[1])
                try staging.finish()
                try flush(&staging, environment)
                try environment.read { transaction in
                    let reader = try ObjectReader(transaction)
                    for (placement, object) in zip(placements, objects) {
                        let id = try header(object.count).id(of: object.raw)
                        let place = staging.location(of: placement)
                        let found = try reader.object(at: place, check: id.check, transaction)
                        #expect(found.payload.copy() == object)
                        if object.count == size {
                            let pack = try reader.pack(place.pack, transaction)
                            records.append(pack.record.copy())
                        }
                    }
                    let problems = try reader.indexProblems(transaction)
                    #expect(problems.isEmpty)
                }
            }
        }
        #expect(records.count == 2 && records[0] == records[1])
    }

    @Test("an object that is written by itself and never committed is freed")
    func aloneGivenUp() throws {
        try withEnvironment { environment in
            do {
                var staging = try ObjectStaging(environment, aloneLimit: 70_000)
                let object = noise(70_000, 2)
                _ = try staging.put(try header(object.count), object.raw)
                let packs = try environment.read { try ObjectReader.lastPack($0) }
                #expect(packs == 1)
            }
            let keys = try environment.read { try StagedPacks.keys($0) }
            #expect(keys.count == 1)
            try StagedPacks.free(environment, keys)
            let packs = try environment.read { try ObjectReader.lastPack($0) }
            #expect(packs == 0)
        }
    }

    @Test("an index of several chunks finds objects in each of them")
    func chunks() throws {
        try withEnvironment { environment in
            var staging = try ObjectStaging(environment)
            var ids: [ObjectID] = []
            // More entries than one chunk of a run holds.
            for number in 0..<70_000 {
                var encoder = ByteEncoder()
                encoder.append(UInt32(number))
                ids.append(try staging.put(try header(4), encoder.bytes.raw))
            }
            try flush(&staging, environment)
            try environment.read { transaction in
                let chunks = try transaction.wrappedEntries(ObjectStore.indexTable)
                #expect(chunks >= 2)
                let reader = try ObjectReader(transaction)
                for id in ids.indices.filter({ $0 % 997 == 0 }).map({ ids[$0] }) {
                    let location = try reader.location(of: id, transaction)
                    #expect(location != nil)
                }
            }
        }
    }
}

extension ReadTransaction {
    /// Records of a table, with this layer's error.
    fileprivate func wrappedEntries(_ table: String) throws -> Int {
        return try statistics(environment.table(table)).entries
    }
}
