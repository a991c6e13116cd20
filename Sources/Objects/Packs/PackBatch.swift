internal import Synchronization

/// Finished packs on their way to the store, given away one by one.
final class PackBatch: Sendable {
    private let packs: Mutex<[ObjectStaging.FinishedPack]>

    init(_ packs: [ObjectStaging.FinishedPack]) { self.packs = Mutex(packs.reversed()) }

    /// The next pack, which the batch no longer holds; nil behind the last.
    func next() -> ObjectStaging.FinishedPack? { packs.withLock { $0.popLast() } }
}
