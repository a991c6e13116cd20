import Elements
import Files
import TestSupport
import Testing

@Suite("Files and locks")
struct FilesTests {
    /// Whether the lock can be had at once.
    private func isFree(_ path: String, _ mode: FileLock.Mode) throws -> Bool {
        do {
            _ = try FileLock(path: path, mode, wait: false)
            return true
        } catch let error as CambiumError {
            guard error.code == .busy else { throw error }
            return false
        }
    }

    @Test("locks exclude each other as their modes say, in one process too")
    func locks() throws {
        try withScratchDirectory { directory in
            let path = directory + "/lock"
            do {
                let shared = try FileLock(path: path, .shared, wait: true)
                #expect(try isFree(path, .shared))
                #expect(try !isFree(path, .exclusive))
                _ = shared
            }
            do {
                let alone = try FileLock(path: path, .exclusive, wait: true)
                #expect(try !isFree(path, .shared))
                #expect(try !isFree(path, .exclusive))
                _ = alone
            }
            #expect(try isFree(path, .exclusive))
        }
    }

    @Test("a lock binds other processes")
    func otherProcess() async throws {
        let directory = try makeScratchDirectory()
        defer { removeTree(directory) }
        let path = directory + "/lock"
        let lock = try FileLock(path: path, .shared, wait: true)
        await #expect(processExitsWith: .success) { [path = path as String] in
            let error = #expect(throws: CambiumError.self) {
                _ = try FileLock(path: path, .exclusive, wait: false)
            }
            #expect(error?.code == .busy)
        }
        _ = lock
    }

    @Test("a lock on a missing file is made or refused, as asked")
    func creating() throws {
        try withScratchDirectory { directory in
            let path = directory + "/lock"
            let error = #expect(throws: CambiumError.self) {
                _ = try FileLock(path: path, .shared, wait: true, creating: false)
            }
            #expect(error?.code == .notFound)
            #expect(!fileExists(path))
            _ = try FileLock(path: path, .shared, wait: true)
            #expect(fileExists(path))
        }
    }

    @Test("small files and directories are written, listed, replaced and removed")
    func files() throws {
        try withScratchDirectory { directory in
            let one = directory + "/one"
            try writeStoreFile(one, [1, 2, 3])
            try writeStoreFile(directory + "/two", [])
            #expect(try readStoreFile(one) == [1, 2, 3])
            #expect(try readStoreFile(one, limit: 2) == [1, 2])
            #expect(try fileLength(one) == 3)
            try makeDirectory(directory + "/inner")
            try makeDirectory(directory + "/inner")
            #expect(try directoryContents(directory) == ["inner", "one", "two"])
            try replaceFile(directory + "/two", with: one, in: directory)
            #expect(try readStoreFile(directory + "/two") == [1, 2, 3])
            #expect(!fileExists(one))
            try removeFile(directory + "/two")
            try removeDirectory(directory + "/inner")
            #expect(try directoryContents(directory).isEmpty)
        }
    }

    @Test(
        "a small file's bytes, and the name of a new directory, are synced; a failure of each call is told"
    )
    func synced() throws {
        try withScratchDirectory { directory in
            let path = directory + "/new"
            let file = try failingCall(0, in: directory) { try writeStoreFile(path, [1, 2, 3]) }
            #expect(file.calls == 3, "made, written, synced")
            for at in 1...file.calls {
                try removeFile(path)
                #expect(throws: CambiumError.self, "call \(at)") {
                    _ = try failingCall(at, in: directory) { try writeStoreFile(path, [1, 2, 3]) }
                }
                try writeStoreFile(path, [])
            }
            let folder = directory + "/folder"
            let made = try failingCall(0, in: directory) { try makeDirectory(folder) }
            #expect(made.calls == 2, "made, its name synced")
            for at in 1...made.calls {
                try removeDirectory(folder)
                #expect(throws: CambiumError.self, "call \(at)") {
                    _ = try failingCall(at, in: directory) { try makeDirectory(folder) }
                }
                try makeDirectory(folder)
            }
            // One that is there is not synced again.
            #expect(try failingCall(0, in: directory) { try makeDirectory(folder) }.calls == 1)
        }
    }

    @Test("what is missing is told with its path")
    func missing() throws {
        let path = "/no/such/place"
        func expectMissing(_ body: () throws -> Void) {
            let error = #expect(throws: CambiumError.self) { try body() }
            #expect(error?.code == .notFound)
            #expect(error?.message.contains(path) == true)
        }
        expectMissing { _ = try readStoreFile(path) }
        expectMissing { _ = try fileLength(path) }
        expectMissing { _ = try directoryContents(path) }
        expectMissing { try removeFile(path) }
        expectMissing { try makeDirectory(path) }
        expectMissing { try writeStoreFile(path, [1]) }
    }
}
