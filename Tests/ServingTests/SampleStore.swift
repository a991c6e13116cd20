import Cambium
import Foundation
import Logging
import Synchronization

@testable import Serving

/// Runs a test on a store whose branch `main` has the model that ships with the repository.
func withSampleStore<Result>(_ body: (Store) async throws -> Result) async throws -> Result {
    let folder =
        FileManager.default.temporaryDirectory.path + "/serving-\(UInt64.random(in: 0 ... .max))"
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try Store.create(at: folder)
    let store = try Store(folder)
    try store.commitSample()
    return try await body(store)
}

extension Store {
    /// Commits the model once more, as another commit.
    @discardableResult
    func commitSample() throws -> String {
        let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        var options = CommitOptions(message: "sample")
        options.allowsUnchanged = true
        return try commit(checkpoint: "/\(root)/tools/sample/base", options).id
    }
}

/// A log that nobody reads.
let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

/// Waits until something holds.
func eventually(_ condition: () async throws -> Bool) async throws -> Bool {
    for _ in 0..<500 {
        if try await condition() { return true }
        try await Task.sleep(for: .milliseconds(20))
    }
    return false
}

/// How often something happened.
final class Count: Sendable {
    private let state = Mutex(0)

    /// How often it happened before.
    func next() -> Int {
        state.withLock { count in
            defer { count += 1 }
            return count
        }
    }

    var value: Int { state.withLock { $0 } }
}
