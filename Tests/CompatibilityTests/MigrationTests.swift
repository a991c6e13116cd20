import Elements
import Glibc
import KeyValue
import Migrations
import Objects
import Snapshots
import TestSupport
import Testing

@Suite("Old formats")
struct MigrationTests {
    /// What the fixture must hold once it is in the current format.
    private func expectFixture(_ fixture: Fixture, at path: String) throws {
        let store = try SnapshotStore.open(path)
        #expect(try store.faults().isEmpty)
        let references = try store.references()
        #expect(references.branches["main"] == fixture.ids["merged"])
        #expect(references.branches["side"] == fixture.ids["side 0"])
        #expect(references.tags["v1"] == fixture.ids["main 4"])
        #expect(references.head == .branch("main"))
        for (label, model) in FixtureHistory.models {
            let id = try #require(fixture.ids[label])
            #expect(try store.commit(id).tree == fixture.ids["tree of \(label)"])
            #expect(try store.model(at: id) == model, "\(label)")
            #expect(try store.resolve(String(id.hex.prefix(20))) == id)
        }
        #expect(try store.history(from: [references.branches["main"] ?? .zero]).count == 12)
        #expect(try store.reflog(of: "heads/main").count == 11)
    }

    @Test(
        "a store of an old format is refused with the command that migrates it",
        arguments: [1, 2, 3, 4])
    func refused(format: Int) throws {
        try withScratchDirectory { directory in
            let path = directory + "/store"
            try Fixture(format: format).unpack(to: path)
            for readOnly in [false, true] {
                let error = #expect(throws: CambiumError.self) {
                    try SnapshotStore.open(path, readOnly: readOnly)
                }
                #expect(error?.code == .formatTooOld)
                #expect(error?.message.contains("cambium migrate") == true)
            }
        }
    }

    @Test("a migrated store holds all that it held, and goes on", arguments: [1, 2, 3, 4])
    func migrates(format: Int) throws {
        try withScratchDirectory { directory in
            let path = directory + "/store"
            let fixture = try Fixture(format: format)
            try fixture.unpack(to: path)
            let outcome = try Migrations.migrate(directory: path)
            #expect(outcome == .init(from: UInt32(format), to: SnapshotStore.format))
            try expectFixture(fixture, at: path)
            #expect(
                try Migrations.migrate(directory: path)
                    == .init(from: SnapshotStore.format, to: SnapshotStore.format))
            let store = try SnapshotStore.open(path)
            var model = try #require(FixtureHistory.models.last).model
            model.edit(3, seed: 99)
            let outcomeOfCommit = try store.commit(model, time: 99)
            #expect(outcomeOfCommit.newObjects == 4)
            #expect(try store.faults().isEmpty)
        }
    }

    @Test("the current format writes the same ids as every old one")
    func sameIds() throws {
        try withStore { store in
            let ids = try FixtureHistory.write(to: store)
            let fixture = try Fixture(format: 1)
            for (label, id) in ids { #expect(fixture.ids[label] == id, "\(label)") }
        }
    }

    @Test(
        "killed at any step, the store has the old format or the new one, whole",
        arguments: [1, 3, 4])
    func killed(format: Int) async throws {
        let directory = try makeScratchDirectory()
        defer { removeTree(directory) }
        let fixture = try Fixture(format: format)
        let counter = StepCounter()
        try fixture.unpack(to: directory + "/0")
        _ = try Migrations.migrate(directory: directory + "/0", observer: counter.call)
        let steps = counter.steps
        #expect(steps.count >= (format < 4 ? 5 : 3))
        for number in 1...steps.count {
            let path = "\(directory)/\(number)"
            try fixture.unpack(to: path)
            await #expect(processExitsWith: .signal(SIGKILL)) {
                [path = path as String, number = number as Int] in
                _ = try Migrations.migrate(
                    directory: path, observer: StepCounter(killingAt: number).call)
            }
            let isNew = steps[number - 1] == "migrate: after commit"
            #expect(
                code { try SnapshotStore.open(path) }
                    == (isNew ? nil : .formatTooOld))
            _ = try Migrations.migrate(directory: path)
            try expectFixture(fixture, at: path)
        }
    }

    @Test("a store in use, of a later format, or that is none is not migrated")
    func refusals() throws {
        try withScratchDirectory { directory in
            #expect(
                code { try Migrations.migrate(directory: directory) }
                    == .notAStore)
        }
        try withStore { store in
            #expect(
                code {
                    try Migrations.migrate(directory: store.directory)
                } == .busy)
        }
        for (number, expected) in [
            (SnapshotStore.format + 1, CambiumError.Code.formatTooNew), (0, .notAStore),
        ] {
            try withScratchDirectory { directory in
                try SnapshotStore.create(at: directory)
                do {
                    let store = try SnapshotStore.open(directory)
                    try store.environment.write("test") { transaction in
                        try SnapshotStore.setFormat(number, transaction)
                    }
                }
                #expect(
                    code {
                        try Migrations.migrate(directory: directory)
                    } == expected)
            }
        }
    }

    @Test("a damaged store is not migrated and stays as it is")
    func damaged() throws {
        try withScratchDirectory { directory in
            let path = directory + "/store"
            let fixture = try Fixture(format: 1)
            try fixture.unpack(to: path)
            do {
                let environment = try EnvironmentRegistry.open(
                    path, tables: SnapshotStore.tables, optional: SnapshotStore.laterTables,
                    readOnly: false)
                try environment.write("damage") { transaction in
                    let table = environment.table("packs")
                    let key: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 2]
                    var record = try transaction.value(table, key) ?? []
                    record[0] ^= 1
                    try transaction.put(table, key, record)
                }
            }
            #expect(
                code { try Migrations.migrate(directory: path) }
                    == .corrupt)
            #expect(
                code { try SnapshotStore.open(path) } == .formatTooOld)
        }
    }
}
