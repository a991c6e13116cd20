internal import Elements
package import Files
internal import Glibc

/// Opens each environment at most once per process.
///
/// lmdb.h, "Caveats": "Do not have open an LMDB database twice in the same process at the same
/// time", because closing one would drop the locks of the other.
package enum EnvironmentRegistry {
    private struct Entry: Sendable {
        weak var environment: Environment?
    }

    /// What a look-up in the registry found.
    private enum Found {
        case open(Environment)
        /// Its last user has let go of it, and another thread is about to close it.
        case closing
    }

    /// A child that was forked must open its own (lmdb.h, "Caveats").
    private static let entries = ProcessState<[String: Entry]>([:])

    /// The environment in `directory`, shared with other users in this process.
    ///
    /// - Parameters:
    ///   - optional: Tables that need not exist.
    ///   - creating: Makes the file and its tables; otherwise both must exist.
    ///   - use: A lock that is held as long as the environment is mapped. Dropped when the process
    ///     has the environment open already.
    ///   - readOnly: Only reads. An environment that is open so becomes writable when it is opened again to
    ///     write.
    /// - Throws: `.readOnly`, `.hardLinked` when it cannot be written.
    package static func open(
        _ directory: String, tables: [String], optional: Set<String> = [], readOnly: Bool,
        creating: Bool = false,
        use: consuming FileLock? = nil, observer: (@Sendable (String) -> Void)? = nil
    ) throws -> Environment {
        let path = try resolve(directory)
        var use: FileLock? = consume use
        while true {
            let found = try entries.withLock { entries throws -> Found in
                if let entry = entries[path] {
                    return entry.environment.map(Found.open) ?? .closing
                }
                let environment = try Environment(
                    path: path, tables: tables, optional: optional, readOnly: readOnly,
                    creating: creating,
                    use: use.take(), observer: observer)
                entries[path] = Entry(environment: environment)
                return .open(environment)
            }
            // Decided outside the lock: letting go of an environment takes it.
            switch found {
            case .open(let environment):
                if !readOnly { try environment.beginWriting() }
                return environment
            case .closing:
                // Closing is one short call on the other thread, already under way.
                sched_yield()
            }
        }
    }

    /// Looks through all pages of a file that cannot be opened as a store.
    ///
    /// Other environments wait meanwhile. Call it when this process does not have the file open.
    package static func pageReport(_ directory: String) throws -> PageReport {
        let path = try resolve(directory)
        return try entries.withLock { entries in
            guard entries[path] == nil else { return .sound }
            return try Environment.pageReport(path)
        }
    }

    /// Runs the closing of an environment, during which no other may be opened in its place.
    static func close(_ path: String, _ body: () -> Void) {
        entries.withLock { entries in
            body()
            entries[path] = nil
        }
    }

    /// Whether this process has the environment open.
    package static func isOpen(_ directory: String) throws -> Bool {
        let path = try resolve(directory)
        return entries.withLock { $0[path] != nil }
    }

    private static func resolve(_ directory: String) throws -> String {
        guard let resolved = unsafe realpath(directory, nil) else {
            throw storeError("open", directory)
        }
        defer { unsafe free(resolved) }
        return unsafe String(cString: resolved)
    }
}
