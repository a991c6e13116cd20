import Elements
import Files
import Glibc
import KeyValue
import Objects
import Snapshots
import TestSupport
import Testing

@Suite("Killed at any step")
struct CrashTests {
    @Test(
        "the store is as before or as after, without a fault, and the operation can be repeated",
        arguments: CrashScenario.allCases)
    func killed(scenario: CrashScenario) async throws {
        let directory = try makeScratchDirectory()
        defer { removeTree(directory) }
        let start = directory + "/start"
        try scenario.prepare(start)
        let finished = directory + "/finished"
        if scenario != .create { try copyStore(start, to: finished) }
        let counter = StepCounter()
        try scenario.run(finished, observer: counter.call)
        let steps = counter.steps
        let before = scenario == .create ? nil : try StoreContent(start)
        let after = try StoreContent(finished)
        #expect(steps.count >= 3)
        for number in 1...steps.count {
            let path = "\(directory)/\(number)"
            if scenario != .create { try copyStore(start, to: path) }
            await #expect(processExitsWith: .signal(SIGKILL)) {
                [path = path as String, number = number as Int, name = scenario.rawValue as String]
                in
                let scenario = try #require(CrashScenario(rawValue: name))
                try scenario.run(path, observer: StepCounter(killingAt: number).call)
            }
            let step = Comment("step \(number): \(steps[number - 1])")
            if scenario != .create || fileExists(path + "/data.mdb") {
                let store = try SnapshotStore.open(path)
                #expect(try store.faults().isEmpty, step)
                let found = try StoreContent(store)
                #expect(found == before || found == after, step)
            }
            try scenario.run(path)
            let store = try SnapshotStore.open(path)
            #expect(try StoreContent(store) == after, step)
            #expect(try store.faults().isEmpty, step)
            // Whatever was left behind is garbage, and collectable.
            _ = try store.collect(prune: true, now: 10_000, grace: 0)
            #expect(try StoreContent(store) == after, step)
            #expect(try store.faults().isEmpty, step)
        }
    }

    @Test("a writer that is killed in its transaction does not block the next one")
    func writerLock() async throws {
        let directory = try makeScratchDirectory()
        defer { removeTree(directory) }
        let path = directory + "/store"
        try SnapshotStore.create(at: path)
        // This process keeps the store open, so that the lock file is not made anew.
        let store = try SnapshotStore.open(path)
        try store.commit(.sample(experts: 5), time: 1)
        await #expect(processExitsWith: .signal(SIGKILL)) { [path = path as String] in
            let other = try SnapshotStore.open(
                path, observer: { if $0 == "commit: before commit" { kill(getpid(), SIGKILL) } })
            try other.commit(.sample(experts: 6), time: 2)
        }
        try store.commit(.sample(experts: 7), time: 3)
        #expect(try store.faults().isEmpty)
    }

    @Test("two processes that commit to one branch lose nothing")
    func twoProcesses() async throws {
        let directory = try makeScratchDirectory()
        defer { removeTree(directory) }
        let path = directory + "/store"
        try SnapshotStore.create(at: path)
        let store = try SnapshotStore.open(path)
        try store.commit(.sample(experts: 40), time: 0)
        let mine = Task { try editRepeatedly(store, from: 20) }
        await #expect(processExitsWith: .success) { [path = path as String] in
            try editRepeatedly(try SnapshotStore.open(path), from: 0)
        }
        try await mine.value
        let history = try store.history(from: [try store.resolve("main")])
        #expect(history.count == 41)
        let model = try store.model(at: try store.resolve("main"))
        for ordinal in 0..<40 {
            #expect(model.pools[.init(1)]?.experts[ordinal] == noise(128, ordinal))
        }
        #expect(try store.faults().isEmpty)
    }
}

/// Edits twenty experts in a commit each, and tries again when another writer was faster.
private func editRepeatedly(_ store: SnapshotStore, from first: Int) throws {
    for ordinal in first..<(first + 20) {
        while try !edit(ordinal, store) {}
    }
}

/// Edits one expert of the branch's head; false when the branch moved meanwhile.
private func edit(_ ordinal: Int, _ store: SnapshotStore) throws -> Bool {
    let head = try store.resolve("main")
    var model = try store.model(at: head)
    model.edit(ordinal, seed: ordinal)
    do {
        try store.commit(model, parents: [head], time: Int64(ordinal))
        return true
    } catch let error as CambiumError {
        guard error.code == .branchMoved else { throw error }
        return false
    }
}
