internal import Elements
internal import Glibc

/// An advisory `flock` on one file of the store, released when the value ends or the process dies.
///
/// `flock` locks belong to the open file description, so two locks in one process exclude each
/// other as two processes do (flock(2)). They are used on files of our own, never on LMDB's.
package struct FileLock: ~Copyable, Sendable {
    package enum Mode: Sendable {
        case shared
        case exclusive
    }

    private let descriptor: Int32

    /// Takes the lock.
    ///
    /// - Parameters:
    ///   - wait: Whether to block until the lock is free.
    ///   - creating: Whether to create the file when it is missing.
    /// - Throws: `.busy` when `wait` is false and another holder excludes this mode.
    package init(path: String, _ mode: Mode, wait: Bool, creating: Bool = true)
        throws
    {
        var attempts = 0
        while true {
            // Locking needs no right to write: another user's readers hold the lock as well.
            let descriptor = try openStoreFile(
                path, O_RDONLY | (creating ? O_CREAT : 0), for: "open the lock file")
            try Self.lock(descriptor, path, mode, wait: wait)
            // Replaced or removed meanwhile: whoever comes now locks another file. Some network file systems
            // number a file differently each time.
            attempts += 1
            if attempts > 16 || Self.isCurrent(descriptor, path) {
                self.descriptor = descriptor
                return
            }
            close(descriptor)
        }
    }

    /// Closes the descriptor when it fails.
    private static func lock(
        _ descriptor: Int32, _ path: String, _ mode: Mode, wait: Bool
    ) throws {
        var operation = mode == .shared ? LOCK_SH : LOCK_EX
        if !wait { operation |= LOCK_NB }
        while flock(descriptor, operation) != 0 {
            let number = errno
            if number == EINTR { continue }
            close(descriptor)
            if number == EWOULDBLOCK {
                throw CambiumError(.busy, "\(path) is locked by another process or store")
            }
            throw storeError("lock", path, number)
        }
    }

    private static func isCurrent(_ descriptor: Int32, _ path: String) -> Bool {
        var (open, named) = (stat(), stat())
        return unsafe fstat(descriptor, &open) == 0 && lstat(path, &named) == 0
            && open.st_dev == named.st_dev && open.st_ino == named.st_ino
    }

    deinit {
        // Unlocked by name: closing is not enough while a child that another thread forked has not
        // yet got rid of its copy of the descriptor. Failures leave nothing to do.
        flock(descriptor, LOCK_UN)
        close(descriptor)
    }
}
