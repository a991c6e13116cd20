internal import Cambium
internal import Synchronization

/// A model in memory, of one commit.
final class LoadedModel: Sendable {
    /// The commit's id.
    let commit: String
    let model: MappedModel
    /// Requests that are under way.
    private let users = Mutex(0)

    init(_ model: MappedModel) {
        commit = model.id
        self.model = model
    }

    var isUsed: Bool { users.withLock { $0 > 0 } }

    func begin() { users.withLock { $0 += 1 } }

    func end() { users.withLock { $0 -= 1 } }
}
