internal import Glibc
internal import KeyValue
internal import Objects

/// A reader's promise-keeper: while it lives, in this process or another, a collection leaves the
/// named commit and all it needs alone.
///
/// A lease is an empty file under `leases/` that has the commit's id in its name and is locked
/// (`flock`, alone) by its owner. A file that nobody locks is left over from a process that died.
/// That needs no room for data, so that a full disk can still be read.
package final class Lease: Sendable {
    private let path: String
    private let lock: FileLock
    /// Whoever owns the lease may own mapped bytes, so the map lives as long.
    private let environment: Environment

    fileprivate init(path: String, lock: consuming FileLock, environment: Environment) {
        self.path = path
        self.lock = lock
        self.environment = environment
    }

    deinit {
        // A file that stays behind is unlocked and swept by the next collection.
        try? removeFile(path)
    }
}

extension SnapshotStore {
    private var leaseDirectory: String { directory + "/leases" }

    /// Takes a lease on a commit and then runs `body`, which must look the commit up (again): a
    /// collection either sees the lease or has finished removing before `body` starts.
    ///
    /// - Returns: Nil for the lease on a read-only disk, where nothing can be collected.
    func leasing<Result>(
        _ commit: ObjectID, _ body: () throws(SnapshotError) -> Result
    ) throws(SnapshotError) -> (lease: Lease?, result: Result) {
        let gate: FileLock
        do throws(SnapshotError) {
            gate = try Self.lock(directory, "opening.lock", .shared, wait: true)
        } catch  where error.code == .readOnly {
            return (nil, try body())
        }
        let name = "\(commit.hex).\(getpid()).\(UInt64.random(in: 0 ... .max))"
        let path = leaseDirectory + "/" + name
        let lease: Lease
        do throws(KeyValueError) {
            try makeDirectory(leaseDirectory)
            // Waits for no one but a collection's preview that looks at this very file.
            lease = Lease(
                path: path, lock: try FileLock(path: path, .exclusive, wait: true),
                environment: environment)
        } catch {
            throw SnapshotError(error)
        }
        let result = try body()
        _ = gate
        return (lease, result)
    }

    /// The commits that live leases name.
    ///
    /// - Parameter removingStale: Removes files of dead processes. Only for a caller that holds
    ///   `opening.lock` alone, so that no lease is half made.
    func leasedCommits(removingStale: Bool) throws(SnapshotError) -> [ObjectID] {
        do throws(KeyValueError) {
            guard fileExists(leaseDirectory) else { return [] }
            var commits: [ObjectID] = []
            for name in try directoryContents(leaseDirectory) {
                let path = leaseDirectory + "/" + name
                // A lease may end while this looks at it; then it binds no longer.
                do throws(KeyValueError) {
                    _ = try FileLock(path: path, .shared, wait: false, creating: false)
                    // Nobody holds it: its owner died.
                    if removingStale { try removeFile(path) }
                } catch  where error.code == .busy {
                    if let id = ObjectID(hex: String(name.prefix(64))) { commits.append(id) }
                } catch  where error.code == .notFound {
                    continue
                }
            }
            return commits
        } catch {
            throw SnapshotError(error)
        }
    }
}
