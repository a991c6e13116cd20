internal import Elements
internal import Files
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
    /// - Throws: `.readOnly` when this user may not make one.
    func leasing<Result>(
        _ commit: ObjectID, _ body: () throws -> Result
    ) throws -> (lease: Lease?, result: Result) {
        if Environment.isOnReadOnlyDisk(directory) { return (nil, try body()) }
        let gate = try Self.lock(directory, "opening.lock", .shared, wait: true)
        let path = leaseDirectory + "/" + StoreNames.lease(commit, process: getpid())
        let lease: Lease
        do {
            try makeStoreFolder(leaseDirectory)
            // Waits for no one but a collection's preview that looks at this very file.
            lease = Lease(
                path: path, lock: try FileLock(path: path, .exclusive, wait: true),
                environment: environment)
        } catch let error as CambiumError where error.code == .readOnly {
            throw CambiumError(
                .readOnly,
                "\(error.message). What is read is kept from collection by a file in \(leaseDirectory); "
                    + "the store's owner lets others read with `mkdir -p \(leaseDirectory) && "
                    + "chmod a+rwxt \(leaseDirectory)`")
        }
        let result = try body()
        _ = gate
        return (lease, result)
    }

    /// The commits that live leases name.
    ///
    /// What is in the folder and is no lease is passed over.
    ///
    /// - Parameter removingStale: Removes files of dead processes. Only for a caller that holds
    ///   `opening.lock` alone, so that no lease is half made.
    /// - Throws: `.corrupt` when the folder is a link or something else.
    func leasedCommits(removingStale: Bool) throws -> [ObjectID] {
        guard fileExists(leaseDirectory) else { return [] }
        try checkStoreFolder(leaseDirectory)
        var commits: [ObjectID] = []
        for name in try directoryContents(leaseDirectory) {
            let path = leaseDirectory + "/" + name
            guard let commit = StoreNames.leasedCommit(name), isRegularFile(path) else {
                continue
            }
            if try isHeld(path, removingStale: removingStale) { commits.append(commit) }
        }
        return commits
    }

    /// Whether a lease's owner lives.
    private func isHeld(_ path: String, removingStale: Bool) throws -> Bool {
        do {
            _ = try FileLock(path: path, .shared, wait: false, creating: false)
        } catch let error as CambiumError where error.code == .busy {
            return true
        } catch let error as CambiumError where error.code == .readOnly {
            // Another user's, who lets nobody look at it: it may be held.
            return true
        } catch let error as CambiumError where error.code == .notFound {
            // It ended while this looked at it; then it binds no longer.
            return false
        }
        // Nobody holds it: its owner died.
        guard removingStale else { return false }
        do {
            try removeFile(path)
        } catch let error as CambiumError where error.code == .notFound || error.code == .readOnly {
            // Ended meanwhile; or another user's in a folder where only that user removes it.
        }
        return false
    }
}
