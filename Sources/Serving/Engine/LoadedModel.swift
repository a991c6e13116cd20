internal import Cambium
internal import Synchronization

/// A model in memory, of one commit.
final class LoadedModel: Sendable {
    private struct State {
        /// Requests that are under way.
        var users = 0
        var isDropped = false
    }

    /// The commit's id.
    let commit: String
    let model: MappedModel
    private let state = Mutex(State())

    init(_ model: MappedModel) {
        commit = model.id
        self.model = model
    }

    var isUsed: Bool { state.withLock { $0.users > 0 } }

    func begin() { state.withLock { $0.users += 1 } }

    func end() { state.withLock { $0.users -= 1 } }

    /// Whether it is to go as soon as nobody uses it.
    var isDropped: Bool { state.withLock { $0.isDropped } }

    func drop() { state.withLock { $0.isDropped = true } }
}
