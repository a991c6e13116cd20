internal import Elements

/// Packs that another thread is writing.
///
/// A staging that is given up waits for the write: what follows, such as a collection, must not meet it half-way,
/// since the staging's lock goes with the staging.
final class WriteAhead {
    private var running: Background<Result<[ObjectStaging.WrittenPack], any Error>>?

    init(_ running: Background<Result<[ObjectStaging.WrittenPack], any Error>>) {
        self.running = running
    }

    /// Waits for the packs' numbers; call once.
    func finish() throws -> [ObjectStaging.WrittenPack] {
        guard let running = running.take() else {
            preconditionFailure("a write was finished before")
        }
        return try running.wait().get()
    }

    deinit { _ = running?.wait() }
}
