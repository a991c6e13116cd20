internal import CLMDB
internal import Elements
internal import Glibc
internal import Synchronization

/// Whether a write that is accompanied goes on.
private final class Ongoing: Sendable {
    let flag = Atomic(true)
}

extension Environment {
    private static let interval: UInt32 = 3_000

    /// Runs a large write while the disk already takes what the transaction has written so far.
    ///
    /// LMDB writes all pages of a transaction and then flushes; without this the disk is idle during
    /// the first half and the processor during the second. Nothing becomes durable or visible by it:
    /// the flush and the meta page are LMDB's.
    package func writingBehind<Result>(_ body: () -> Result) -> Result {
        var file: Int32 = -1
        // Where the file is not told, the write is only slower.
        guard unsafe mdb_env_get_fd(handle, &file) == 0 else { return body() }
        let ongoing = Ongoing()
        let companion = Background { [file] in
            while ongoing.flag.load(ordering: .relaxed) {
                // Advice only: LMDB's own flush reports what fails.
                _ = cambium_start_writeback(file)
                usleep(Self.interval)
            }
        }
        let result = body()
        ongoing.flag.store(false, ordering: .relaxed)
        companion.wait()
        return result
    }
}
