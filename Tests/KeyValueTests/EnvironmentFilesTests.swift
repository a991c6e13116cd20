import Elements
import Files
import Foundation
import Glibc
import KeyValue
import Synchronization
import TestSupport
import Testing

@Suite("An environment's files")
struct EnvironmentFilesTests {
    private static let names = ["a", "b"]

    private func make(_ directory: String) throws {
        let environment = try EnvironmentRegistry.open(
            directory, tables: Self.names, readOnly: false, creating: true)
        try put([1], in: environment)
    }

    private func put(_ value: [UInt8], in environment: Environment) throws {
        try environment.write("test") { transaction in
            try transaction.put(environment.table("a"), [1], value)
        }
    }

    private func value(_ environment: Environment) throws -> [UInt8]? {
        try environment.read { transaction in
            try transaction.value(environment.table("a"), [1])
        }
    }

    private func open(_ directory: String, readOnly: Bool = true) throws -> Environment {
        try EnvironmentRegistry.open(directory, tables: Self.names, readOnly: readOnly)
    }

    /// What is open in a read transaction stays readable while the environment becomes writable: the second
    /// opening must not clear the table of readers, or the pages would be reused.
    @Test("what is open for reading becomes writable, and its transactions keep their state")
    func upgrade() async throws {
        let directory = try makeScratchDirectory()
        defer { removeTree(directory) }
        try make(directory)
        let environment = try open(directory)
        #expect(environment.isReadOnly)
        #expect(throws: CambiumError.self) { try put([2], in: environment) }
        let old = try ReadTransaction(environment)
        let writable = try open(directory, readOnly: false)
        #expect(writable === environment && !environment.isReadOnly)
        for round in 0..<200 {
            try put([UInt8](repeating: UInt8(round), count: 1_000), in: environment)
        }
        #expect(try old.value(environment.table("a"), [1]) == [1])
        #expect(try value(environment) == [UInt8](repeating: 199, count: 1_000))
        // Another process finds the reader alive, and may write as well.
        await #expect(processExitsWith: .success) { [directory = directory as String] in
            let other = try EnvironmentRegistry.open(
                directory, tables: ["a", "b"], readOnly: false)
            for round in 0..<200 {
                try other.write("test") { transaction in
                    let value = [UInt8](repeating: UInt8(round), count: 900)
                    try transaction.put(other.table("a"), [1], value)
                }
            }
        }
        #expect(try old.value(environment.table("a"), [1]) == [1])
        #expect(try value(environment) == [UInt8](repeating: 199, count: 900))
    }

    @Test("an upgrade that fails leaves what is read as it was")
    func failedUpgrade() async throws {
        let directory = try makeScratchDirectory()
        defer { removeTree(directory) }
        try make(directory)
        let environment = try open(directory)
        let old = try ReadTransaction(environment)
        let copy = directory + "/copy"
        #expect(unsafe link(directory + "/data.mdb", copy) == 0)
        let error = #expect(throws: CambiumError.self) { try open(directory, readOnly: false) }
        #expect(error?.code == .hardLinked)
        try removeFile(copy)
        await #expect(processExitsWith: .success) { [directory = directory as String] in
            let other = try EnvironmentRegistry.open(
                directory, tables: ["a", "b"], readOnly: false)
            for round in 0..<200 {
                try other.write("test") { transaction in
                    try transaction.put(other.table("a"), [1], [UInt8(round)])
                }
            }
        }
        #expect(try old.value(environment.table("a"), [1]) == [1])
        try put([7], in: try open(directory, readOnly: false))
        #expect(try value(environment) == [7])
    }

    @Test("opening to read does not wait for a writer, nor does opening to write")
    func stoppedWriter() async throws {
        let directory = try makeScratchDirectory()
        defer { removeTree(directory) }
        try make(directory)
        let environment = try open(directory, readOnly: false)
        let turn = Turn()
        let writer = Background {
            try? environment.write("test") { transaction in
                try transaction.put(environment.table("a"), [1], [3])
                turn.state.store(1, ordering: .releasing)
                while turn.state.load(ordering: .acquiring) != 2 { usleep(1_000) }
            }
        }
        while turn.state.load(ordering: .acquiring) != 1 { usleep(1_000) }
        await #expect(processExitsWith: .success) { [directory = directory as String] in
            // A reader that waits is ended by a signal.
            alarm(60)
            for readOnly in [true, false] {
                let other = try EnvironmentRegistry.open(
                    directory, tables: ["a", "b"], readOnly: readOnly)
                let value = try other.read { transaction in
                    try transaction.value(other.table("a"), [1])
                }
                #expect(value == [1])
            }
        }
        turn.state.store(2, ordering: .releasing)
        writer.wait()
        #expect(try value(environment) == [3])
    }

    @Test("files of the store never lie on the standard streams' descriptors")
    func descriptors() async throws {
        let directory = try makeScratchDirectory()
        defer { removeTree(directory) }
        try make(directory)
        await #expect(processExitsWith: .exitCode(7)) { [directory = directory as String] in
            for descriptor: Int32 in 0...2 { close(descriptor) }
            let lock = try FileLock(path: directory + "/lock", .exclusive, wait: true)
            let reader = try EnvironmentRegistry.open(
                directory, tables: ["a", "b"], readOnly: true)
            let writer = try EnvironmentRegistry.open(
                directory, tables: ["a", "b"], readOnly: false)
            // What else runs in the process may open files of its own there, which are none of the store's.
            let name = URL(filePath: directory).lastPathComponent
            var found = 0
            for descriptor in 0...2 {
                let file = try? FileManager.default.destinationOfSymbolicLink(
                    atPath: "/proc/self/fd/\(descriptor)")
                if file?.contains(name) == true { found += 1 }
            }
            try writer.write("test") { transaction in
                try transaction.put(writer.table("a"), [2], [2])
            }
            withExtendedLifetime((reader, writer)) {}
            _ = lock
            exit(found == 0 ? 7 : 1)
        }
        let environment = try open(directory)
        #expect(try value(environment) == [1])
    }

    @Test(
        "what is no regular file is refused at once",
        arguments: ["data.mdb", "lock.mdb", "use.lock"])
    func strangers(name: String) throws {
        try withScratchDirectory { directory in
            try make(directory)
            let path = directory + "/" + name
            let put: [(String) -> Int32] = [
                { unsafe mkfifo($0, 0o666) }, { unsafe mkdir($0, 0o777) },
                { unsafe symlink("/dev/zero", $0) }, { unsafe symlink("nowhere", $0) },
                { unsafe symlink("aside", $0) },
            ]
            _ = unsafe rename(path, directory + "/aside")
            for make in put {
                #expect(make(path) == 0)
                let error = #expect(throws: CambiumError.self) {
                    if name == "use.lock" {
                        _ = try FileLock(path: path, .shared, wait: true)
                    } else {
                        _ = try open(directory)
                    }
                }
                #expect(error?.code == .corrupt)
                removeTree(path)
            }
            #expect(!fileExists(directory + "/nowhere"))
        }
    }

    @Test("a lock file that is replaced while someone waits for it is locked anew")
    func replacedLock() async throws {
        let directory = try makeScratchDirectory()
        defer { removeTree(directory) }
        let path = directory + "/lock"
        let waiting: Task<Bool, any Error>
        do {
            let first = try FileLock(path: path, .exclusive, wait: true)
            waiting = Task.detached {
                let second = try FileLock(path: path, .exclusive, wait: true)
                // Held on the file that has the name now.
                defer { _ = second }
                do {
                    _ = try FileLock(path: path, .shared, wait: false)
                    return false
                } catch let error as CambiumError { return error.code == .busy }
            }
            try removeFile(path)
            _ = first
        }
        #expect(try await waiting.value)
    }

    @Test("a listing that fails is an error, not an end")
    func listing() throws {
        try withScratchDirectory { directory in
            for name in 0..<5 { try writeStoreFile("\(directory)/\(name)", []) }
            #expect(try directoryContents(directory).count == 5)
            for call in 1...4 {
                let error = #expect(throws: CambiumError.self) {
                    _ = try failingCall(call, of: .reading, in: directory) {
                        try directoryContents(directory)
                    }
                }
                #expect(error?.code == .io)
            }
        }
    }
}

/// Whether a writer is before its transaction (0), inside (1), or may end it (2).
private final class Turn: Sendable {
    let state = Atomic(0)
}
