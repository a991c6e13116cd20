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
        throws(KeyValueError)
    {
        let flags = O_RDWR | O_CLOEXEC | (creating ? O_CREAT : 0)
        let descriptor = unsafe open(path, flags, 0o666)
        guard descriptor >= 0 else { throw systemError("open the lock file", path) }
        var operation = mode == .shared ? LOCK_SH : LOCK_EX
        if !wait { operation |= LOCK_NB }
        while flock(descriptor, operation) != 0 {
            let number = errno
            if number == EINTR { continue }
            close(descriptor)
            if number == EWOULDBLOCK {
                throw KeyValueError(.busy, "\(path) is locked by another process or store")
            }
            throw systemError("lock", path, number)
        }
        self.descriptor = descriptor
    }

    deinit {
        // Unlocked by name: closing is not enough while a child that another thread forked has not
        // yet got rid of its copy of the descriptor. Failures leave nothing to do.
        flock(descriptor, LOCK_UN)
        close(descriptor)
    }
}
