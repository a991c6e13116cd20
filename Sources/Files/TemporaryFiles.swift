internal import Elements
internal import Glibc

/// The files that this process is writing and that have no name of their own yet.
///
/// A process that a signal ends removes them first. Every path is added before its file is made.
package enum TemporaryFiles {
    private static let paths = ProcessState<Set<String>>([])
    /// Held while finished files get their names, so that all of them do or none.
    private static let naming = ProcessState<Void>(())

    /// Notes a file that is about to be made.
    package static func add(_ path: String) { _ = paths.withLock { $0.insert(path) } }

    /// Forgets a file that has its name, or is gone.
    package static func forget(_ path: String) { _ = paths.withLock { $0.remove(path) } }

    /// Runs `body`, during which the process is not ended by ``end(_:)``.
    package static func whole<Failure: Error>(
        _ body: () throws(Failure) -> Void
    ) throws(Failure) {
        let result: Result<Void, Failure> = naming.withLock { _ in
            do throws(Failure) {
                return .success(try body())
            } catch {
                return .failure(error)
            }
        }
        try result.get()
    }

    /// Removes all files, and runs `body`, which ends the process, before another can be made.
    package static func end(_ body: () -> Void) {
        naming.withLock { _ in
            paths.withLock { paths in
                for path in paths { _ = unsafe unlink(path) }
                body()
            }
        }
    }
}
