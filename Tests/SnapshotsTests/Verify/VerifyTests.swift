import Elements
import KeyValue
import Objects
import Snapshots
import TestSupport
import Testing

/// One way to damage a store, and what verification must say about it.
struct Damage: Sendable, CustomTestStringConvertible {
    let testDescription: String
    /// Text that some fault contains.
    let expected: String
    /// Whether the check of the structure alone finds it.
    let isStructural: Bool
    let plant: @Sendable (Planting) throws -> Void

    init(
        _ name: String, finds expected: String, structural: Bool = true,
        _ plant: @escaping @Sendable (Planting) throws -> Void
    ) {
        testDescription = name
        self.expected = expected
        isStructural = structural
        self.plant = plant
    }
}

/// A store with some commits, and means to change its records behind its back.
struct Planting {
    let store: SnapshotStore
    let head: ObjectID

    /// Changes one record of a table: the first whose key begins with `prefix` and that has at
    /// least `minimum` bytes.
    ///
    /// A change to nil removes it. What `change` gets and returns is without the checksum, which
    /// is made right again, so that it hides no other check.
    func change(
        _ name: String, _ prefix: [UInt8] = [], minimum: Int = 0,
        _ change: ([UInt8]) -> [UInt8]?
    ) throws {
        try edit(name, prefix, minimum: minimum) { (key, value, table) in
            guard name != "packs" else { return change(value).map { (key, $0) } }
            let bytes = Array(value.dropLast(CheckedValue.checksumCount))
            return change(bytes).map { (key, CheckedValue.seal($0, table, key)) }
        }
    }

    /// Replaces one record, as it is stored, by another one.
    func edit(
        _ name: String, _ prefix: [UInt8] = [], minimum: Int = 0,
        _ edit: (_ key: [UInt8], _ value: [UInt8], Table) -> (key: [UInt8], value: [UInt8])?
    ) throws {
        let environment = store.environment
        let table = environment.table(name)
        try environment.write("damage") { transaction in
            var found: (key: [UInt8], value: [UInt8])?
            try transaction.scan(table, from: prefix) { key, value in
                guard value.count >= minimum else { return true }
                found = (key, value.copy())
                return false
            }
            guard let found else { throw CambiumError(.notFound, "nothing to damage") }
            _ = try transaction.delete(table, found.key)
            if let new = edit(found.key, found.value, table) {
                try transaction.put(table, new.key, new.value)
            }
        }
    }

    func flip(_ table: String, _ prefix: [UInt8] = [], minimum: Int = 0, at offset: Int) throws {
        try change(table, prefix, minimum: minimum) { bytes in
            var bytes = bytes
            bytes[offset < 0 ? bytes.count + offset : offset] ^= 1
            return bytes
        }
    }

    /// Flips a bit of a stored value, or with `ofKey` of its key, and leaves the checksum.
    func flipStored(
        _ name: String, _ prefix: [UInt8] = [], minimum: Int = 0, ofKey: Bool = false,
        at offset: Int
    ) throws {
        try edit(name, prefix, minimum: minimum) { (key, value, _) in
            var (key, value) = (key, value)
            if ofKey {
                key[offset < 0 ? key.count + offset : offset] ^= 1
            } else {
                value[offset < 0 ? value.count + offset : offset] ^= 1
            }
            return (key, value)
        }
    }

    func root() throws -> ObjectID {
        try #require(try store.tree(store.commit(head).tree).layers[1]?.pools["base"]).experts
    }
}

let damages: [Damage] = [
    Damage("a byte of an object", finds: "damaged on disk", structural: false) {
        try $0.flip("packs", at: 48)
    },
    Damage("a byte of a large tensor", finds: "damaged on disk", structural: false) {
        try $0.flip("packs", minimum: 70_000, at: 40_000)
    },
    Damage("a byte of a pack's directory", finds: "checksum") {
        try $0.change("packs") { bytes in
            var bytes = bytes
            bytes[Int(bytes.raw.number(at: 16, as: UInt64.self)) + 3] ^= 1
            return bytes
        }
    },
    Damage("a pack's magic number", finds: "magic number") { try $0.flip("packs", at: 0) },
    Damage("a pack's version", finds: "is unknown") { try $0.flip("packs", at: 5) },
    Damage("a pack's count", finds: "fit the directory") { try $0.flip("packs", at: 11) },
    Damage("a pack's directory offset", finds: "outside") { try $0.flip("packs", at: 23) },
    Damage("a pack that ends early", finds: "pack 1") {
        try $0.change("packs") { Array($0.prefix(100)) }
    },
    Damage("an empty pack", finds: "record too short") { try $0.change("packs") { _ in [] } },
    Damage("a missing pack", finds: "is missing") { try $0.change("packs") { _ in nil } },
    Damage("a pack under an impossible key", finds: "not the key of a pack") {
        let environment = $0.store.environment
        try environment.write("damage") { transaction in
            try transaction.put(
                environment.table("packs"), [UInt8](repeating: 0xFF, count: 9), [1])
        }
    },
    Damage("a missing index", finds: "not in the location index") {
        try $0.change("index") { _ in nil }
    },
    Damage("an index chunk's magic number", finds: "magic number") { try $0.flip("index", at: 0) },
    Damage("an index chunk's count", finds: "claims") { try $0.flip("index", at: 8) },
    Damage("an index entry's place", finds: "is not at unit") { try $0.flip("index", at: -1) },
    Damage("a branch that names nothing", finds: "branch main") {
        try $0.flip("refs", Array("heads/main".utf8), at: 5)
    },
    Damage("a branch of the wrong length", finds: "name nothing") {
        try $0.change("refs", Array("heads/main".utf8)) { _ in [1, 2] }
    },
    Damage("a reference of no kind", finds: "which name nothing") {
        let environment = $0.store.environment
        try environment.write("damage") { transaction in
            try transaction.putChecked(
                environment.table("refs"), Array("x".utf8), [UInt8](repeating: 1, count: 32))
        }
    },
    Damage("a reference without a checksum", finds: "checksum") {
        let environment = $0.store.environment
        try environment.write("damage") { transaction in
            try transaction.put(
                environment.table("refs"), Array("tags/x".utf8), [UInt8](repeating: 1, count: 32))
        }
    },
    Damage("a missing HEAD", finds: "HEAD") {
        try $0.change("refs", Array("HEAD".utf8)) { _ in nil }
    },
    Damage("a damaged HEAD", finds: "HEAD") { try $0.flip("refs", Array("HEAD".utf8), at: 0) },
    Damage("a damaged reflog entry", finds: "reflog") {
        try $0.change("reflog") { Array($0.dropLast()) }
    },
    Damage("a missing array", finds: "is missing") {
        try $0.change("arrays", try $0.root().bytes) { _ in nil }
    },
    Damage("a branch's name", finds: "checksum") {
        try $0.flipStored("refs", Array("heads/main".utf8), ofKey: true, at: -1)
    },
    Damage("a branch's checksum", finds: "checksum") {
        try $0.flipStored("refs", Array("heads/main".utf8), at: -1)
    },
    Damage("a reflog entry's time", finds: "reflog") { try $0.flipStored("reflog", at: 0) },
    Damage("a reflog entry's message", finds: "reflog") { try $0.flipStored("reflog", at: -17) },
    Damage("a reflog entry's number", finds: "reflog") {
        try $0.flipStored("reflog", ofKey: true, at: -8)
    },
    Damage("an index entry's prefix", finds: "checksum") { try $0.flipStored("index", at: 18) },
    Damage("an index chunk's number", finds: "checksum") {
        try $0.flipStored("index", ofKey: true, at: 7)
    },
    Damage("an array's level", finds: "checksum") {
        try $0.flipStored("arrays", try $0.root().bytes, at: 8)
    },
    Damage("an array chunk's entry", finds: "checksum") {
        try $0.flipStored("arrays", minimum: 3_000, at: 100)
    },
    // The newest array is a change set: 64 bytes of header, one ordinal, one entry, nodes.
    Damage("an array with another ordinal", finds: "hash to", structural: false) {
        try $0.flip("arrays", try $0.root().bytes, at: 64)
    },
    Damage("an array with another place", finds: "is not at unit") {
        try $0.flip("arrays", try $0.root().bytes, at: 64 + 4 + 4)
    },
    Damage("an array with another pack", finds: "is not at unit") {
        try $0.flip("arrays", try $0.root().bytes, at: 64 + 4 + 3)
    },
    Damage("an array with another expert at its place", finds: "is not at unit") {
        try $0.flip("arrays", try $0.root().bytes, at: 64 + 4 + 8)
    },
    Damage("an array with another node", finds: "of height 3 is wrong", structural: false) {
        try $0.flip("arrays", try $0.root().bytes, at: -1)
    },
    Damage("an array whose change is out of bounds", finds: "out of order") {
        try $0.flip("arrays", try $0.root().bytes, at: 64 + 3)
    },
    Damage("an array of another length", finds: "experts are stored") {
        try $0.change("arrays", try $0.root().bytes) { bytes in
            var bytes = bytes
            bytes[16] += 1
            return bytes
        }
    },
    Damage("an array's base", finds: "is missing") {
        try $0.flip("arrays", try $0.root().bytes, at: 40)
    },
    Damage("an array's header", finds: "no valid header") {
        try $0.flip("arrays", try $0.root().bytes, at: 0)
    },
    Damage("an array without one chunk", finds: "chunk 1") {
        // A chunk of entries is longer than any header or small change set here.
        try $0.change("arrays", minimum: 3_000) { _ in nil }
    },
]

@Suite("Verification")
struct VerifyTests {
    private func plant(_ body: (Planting) throws -> Void) throws {
        try withStore { store in
            var model = SyntheticModel.sample(experts: 300)
            try store.commit(model, time: 1)
            model.edit(295, seed: 9)
            let head = try store.commit(model, time: 2).id
            #expect(try store.faults().isEmpty)
            try body(Planting(store: store, head: head))
        }
    }

    @Test("a sound store has no fault, and the report counts what was read")
    func sound() throws {
        try plant { planting in
            let report = try planting.store.verify(fast: false)
            #expect(report.faults.isEmpty)
            #expect(report.commits == 2)
            #expect(report.arrays == 2)
            #expect(report.objects > 305)
            #expect(report.references == 2)
        }
    }

    @Test("every kind of damage is found", arguments: damages)
    func finds(damage: Damage) throws {
        try plant { planting in
            try damage.plant(planting)
            let full = try planting.store.faults()
            #expect(full.contains { $0.contains(damage.expected) }, "\(full)")
            if damage.isStructural {
                let fast = try planting.store.faults(fast: true)
                #expect(fast.contains { $0.contains(damage.expected) }, "\(fast)")
            }
        }
    }

    @Test("several faults are all reported")
    func all() throws {
        try plant { planting in
            let names = [
                "a byte of an object", "a byte of a large tensor", "an index entry's place",
                "a branch that names nothing", "a reference of no kind", "a missing HEAD",
                "a damaged reflog entry", "an array with another place",
            ]
            let chosen = damages.filter { names.contains($0.testDescription) }
            for damage in chosen { try damage.plant(planting) }
            let faults = try planting.store.faults()
            for damage in chosen {
                #expect(faults.contains { $0.contains(damage.expected) }, "\(damage)")
            }
            #expect(chosen.count == names.count)
        }
    }

    /// Records that were changed together with their checksum: only their own root tells.
    private static let forged = [
        "an array with another ordinal", "an array whose change is out of bounds",
    ]

    @Test(
        "what is damaged is not served as whole, kept or built on, and no damage traps",
        arguments: damages)
    func notServed(damage: Damage) throws {
        try plant { planting in
            let (store, head) = (planting.store, planting.head)
            let truth = try store.model(at: head)
            let parent = try store.resolve("main~1")
            try damage.plant(planting)
            // Whatever each says, it says it as an error or gives the truth.
            let isForged = Self.forged.contains(damage.testDescription)
            let served = try? store.model(at: head, checks: true)
            #expect(served == nil || served == truth || isForged)
            let history = try? store.history(from: [head])
            #expect(history == nil || history?.map(\.id) == [head, parent])
            _ = try? store.collect(prune: false, now: 0, grace: 0)
            let resolved = try? store.resolve("main~1")
            #expect(resolved == nil || resolved == parent)
            let named = try? store.resolve(String(head.hex.prefix(6)))
            #expect(named == nil || named == head)
            var model = SyntheticModel.sample(experts: 301)
            model.edit(3, seed: 4)
            if let outcome = try? store.commit(model, to: "other", parents: []) {
                let isSame = try store.model(at: outcome.id, checks: true) == model
                #expect(isSame, "what was committed is readable")
            }
            _ = try? store.collect(prune: true, now: 0, grace: 0)
            // What could be read is still there.
            if let served {
                let isSame = try store.model(at: head, checks: true) == served
                #expect(isSame)
            }
        }
    }

    @Test("a file named as evidence must hold the object of that name")
    func evidenceNames() throws {
        try withStore { store in
            var model = SyntheticModel.sample(experts: 3)
            let bytes: [UInt8] = [1, 2, 3]
            let id = try ObjectHeader(.file, byteCount: bytes.count).id(of: bytes.raw)
            model.files[Tree.evidencePrefix + id.hex] = bytes
            try store.commit(model, time: 1)
            #expect(try store.faults().isEmpty)
            model.files[Tree.evidencePrefix + id.hex] = [4]
            try store.commit(model, time: 2)
            for fast in [true, false] {
                let faults = try store.faults(fast: fast)
                #expect(faults.contains { $0.contains("evidence has its own name") }, "\(faults)")
            }
        }
    }

    @Test("a damaged commit, tree or file is refused when it is read")
    func checkedReads() throws {
        try plant { planting in
            let store = planting.store
            let tree = try store.commit(planting.head).tree
            for id in [planting.head, tree] {
                let location = try store.environment.read { transaction in
                    try ObjectReader(transaction).location(of: id, transaction)
                }
                let place = try #require(location)
                let key = [0, 0, 0, 0, 0, 0, 0, UInt8(place.pack)]
                try planting.flip("packs", key, at: 48 + 64 * Int(place.unit) + 5)
            }
            #expect(
                code { try store.commit(planting.head) } == .corrupt)
            #expect(code { try store.tree(tree) } == .corrupt)
        }
    }
}
