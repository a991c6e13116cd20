internal import Elements
internal import Synchronization

/// Remembers that a commit failed, after which the environment's state on disk is not known.
///
/// storage.md of LMDB's users and lmdb.h agree: after a failed commit, close and reopen.
final class Poison: Sendable {
    private let reason = Mutex<String?>(nil)

    func set(_ message: String) {
        reason.withLock { $0 = $0 ?? message }
    }

    func check() throws {
        guard let message = reason.withLock({ $0 }) else { return }
        throw CambiumError(
            .io,
            "an earlier commit failed (\(message)); close and reopen the store before writing")
    }
}
