internal import Cambium
internal import Logging
internal import Synchronization

/// Which commit each name of a model means now.
///
/// A name that was asked for is followed: when the store has changed and the name means another commit, that is loaded
/// beside the one that answers, and answers from then on. No request waits for it.
final class Heads: Sendable {
    private struct State {
        var commits: [String: String] = [:]
        /// Of the store, when the names were looked up last.
        var number: Int?
        var switches = 0
    }

    private let store: Store
    private let models: LoadedModels
    private let logger: Logger
    /// Whether names stay at the commits that they meant first, until ``lookAgain()`` is called.
    private let isPinned: Bool
    private let state = Mutex(State())

    /// Names that are followed at most; further ones are looked up each time.
    private static let mostNames = 1024

    init(_ store: Store, _ models: LoadedModels, pins: Bool, _ logger: Logger) {
        self.store = store
        self.models = models
        self.logger = logger
        isPinned = pins
    }

    /// The commit that a name means.
    func commit(of name: String) throws -> String {
        if let commit = state.withLock({ $0.commits[name] }) { return commit }
        do {
            return try store.resolve(model: name)
        } catch {
            throw APIError(finding: name, error)
        }
    }

    /// The model that a name means, loaded; the name is followed from then on.
    func model(_ name: String) async throws -> LoadedModel {
        let commit = try commit(of: name)
        let model = try await models.model(commit)
        state.withLock { state in
            if state.commits.count < Self.mostNames, state.commits[name] == nil {
                state.commits[name] = commit
            }
        }
        return model
    }

    /// Follows the store until the task is cancelled.
    func follow(every pause: Duration = .milliseconds(100)) async {
        guard !isPinned else { return }
        while !Task.isCancelled {
            do {
                let number = try store.state()
                if state.withLock({ $0.number != number }) {
                    try await lookAgain()
                    state.withLock { $0.number = number }
                }
            } catch {
                logger.warning("cannot look at the store", metadata: ["error": "\(error)"])
            }
            try? await Task.sleep(for: pause)
        }
    }

    /// Looks all names up again, and loads what they mean now.
    ///
    /// - Returns: The names that mean another commit than before.
    @discardableResult
    func lookAgain() async throws -> [String] {
        var moved: [String] = []
        for (name, old) in state.withLock({ $0.commits }) {
            let new: String
            do {
                new = try store.resolve(model: name)
            } catch let error as CambiumError where error.code != .io && error.code != .busy {
                state.withLock { $0.commits[name] = nil }
                logger.notice("a model is gone", metadata: ["model": "\(name)"])
                continue
            }
            guard new != old else { continue }
            do {
                _ = try await models.model(new)
            } catch {
                logger.warning(
                    "a new head cannot be loaded; the one before answers",
                    metadata: ["model": "\(name)", "commit": "\(new)", "error": "\(error)"])
                continue
            }
            let isNamed = state.withLock { state in
                state.commits[name] = new
                state.switches += 1
                return state.commits.values.contains(old)
            }
            // What no name means any more need not be kept from collection.
            if !isNamed { models.drop(old) }
            moved.append(name)
            logger.notice("new head", metadata: ["model": "\(name)", "commit": "\(new)"])
        }
        return moved.sorted()
    }

    /// How often a name came to mean another commit.
    var switches: Int { state.withLock { $0.switches } }
}
