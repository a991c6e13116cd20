import Elements
import Files
import Glibc
import KeyValue
import Snapshots
import TestSupport
import Testing

/// The n-th system call of an operation fails, for every n: the operation tells so, or did without it, and the
/// store holds the state before or the state after.
@Suite("System calls that fail")
struct FailingCallTests {
    static let errors: [Int32] = [EIO, ENOSPC, EDQUOT, EINTR, 0]

    @Test("a call that changes the disk fails", arguments: CrashScenario.allCases)
    func changing(scenario: CrashScenario) throws {
        try attempt(scenario, .changing, errors: Self.errors)
    }

    @Test("a call that reads fails", arguments: CrashScenario.allCases)
    func reading(scenario: CrashScenario) throws {
        try attempt(scenario, .reading, errors: [EIO, EINTR, ENOMEM])
    }

    private func attempt(
        _ scenario: CrashScenario, _ calls: CountedCalls, errors: [Int32]
    ) throws {
        try withScratchDirectory { directory in
            let prepared = directory + "/prepared"
            try scenario.prepare(prepared)
            let before = scenario == .create ? nil : try content(prepared)
            let clean = directory + "/clean"
            try copy(scenario, prepared, to: clean)
            let total = try failingCall(0, of: calls, in: clean) { try scenario.run(clean) }.calls
            try #require(total > 0, "no call was counted: the seam is not in place")
            let after = try content(clean)
            var told = 0
            for at in 1...total {
                let path = directory + "/\(at)"
                try copy(scenario, prepared, to: path)
                let number = errors[at % errors.count]
                do {
                    _ = try failingCall(at, of: calls, in: path, error: number) {
                        try scenario.run(path)
                    }
                } catch let error as CambiumError {
                    told += 1
                    #expect(!error.message.isEmpty)
                }
                let place = "call \(at) of \(total), error \(number)"
                if !fileExists(path + "/data.mdb") {
                    try scenario.run(path)
                }
                let found = try content(path)
                #expect(found == before || found == after, "\(place)")
                let report = try SnapshotStore.open(path).verify(fast: false)
                #expect(report.faults.isEmpty, "\(place): \(report.faults)")
                // What failed once goes through when it is tried again.
                try scenario.run(path)
                removeTree(path)
            }
            #expect(calls == .reading || told > 0)
        }
    }

    private func copy(_ scenario: CrashScenario, _ source: String, to target: String) throws {
        if scenario != .create { try copyStore(source, to: target) }
    }

    private func content(_ path: String) throws -> StoreContent {
        try StoreContent(SnapshotStore.open(path))
    }
}
