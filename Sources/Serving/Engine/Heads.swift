internal import Cambium
internal import Logging
internal import Synchronization

/// Which commit each name of a model means now.
///
/// A name that was asked for is followed: when the store has changed and the name means another commit, that is loaded
/// beside the one that answers, and answers from then on. No request waits for it.
final class Heads: Sendable {
    /// What a name means.
    private struct Entry {
        var commit: String
        /// Of the store, before the name was looked up: what was committed since is not seen yet.
        var number: Int
        var lastUse: Int
        /// How long it rests after what it means now could not be loaded, and until when.
        var pause = Duration.zero
        var rest = ContinuousClock.now
    }

    private struct State {
        var entries: [String: Entry] = [:]
        /// Counts uses.
        var clock = 0
        var switches = 0
    }

    private let store: Store
    private let models: LoadedModels
    private let logger: Logger
    /// Whether names stay at the commits that they meant first, until ``lookAgain()`` is called.
    let isPinned: Bool
    private let state = Mutex(State())

    /// Names that are followed at most; then the one that was not asked for longest makes room.
    private let mostNames: Int
    /// Bytes of a name at most.
    static let longestName = 512
    /// How long a head that cannot be loaded rests before it is tried again: twice as long each time.
    private static let pauses = (first: Duration.seconds(1), longest: Duration.seconds(60))

    init(
        _ store: Store, _ models: LoadedModels, pins: Bool, mostNames: Int = 1024, _ logger: Logger
    ) {
        self.mostNames = mostNames
        self.store = store
        self.models = models
        self.logger = logger
        isPinned = pins
    }

    /// The commit that a name means.
    func commit(of name: String) throws -> String { try look(up: name).commit }

    /// The model that a name means, loaded; the name is followed from then on.
    func model(_ name: String) async throws -> LoadedModel {
        let found = try look(up: name)
        let model = try await models.model(found.commit)
        state.withLock { state in
            // One that was looked up later, meanwhile, counts more.
            if let known = state.entries[name], known.number >= found.number { return }
            if state.entries.count >= mostNames,
                let oldest = state.entries.min(by: { $0.value.lastUse < $1.value.lastUse })
            {
                state.entries[oldest.key] = nil
            }
            state.entries[name] = Entry(
                commit: found.commit, number: found.number, lastUse: state.clock)
        }
        return model
    }

    private func look(up name: String) throws -> (commit: String, number: Int) {
        guard name.utf8.count <= Self.longestName else {
            throw APIError(
                .notFound, "a model's name has \(Self.longestName) bytes at most",
                field: "model", code: "model_not_found")
        }
        let known = state.withLock { state in
            state.clock += 1
            state.entries[name]?.lastUse = state.clock
            return state.entries[name]
        }
        if let known { return (known.commit, known.number) }
        do {
            // In this order: what is committed in between is looked up again.
            let number = try store.state()
            return (try store.resolve(model: name), number)
        } catch {
            throw APIError(finding: name, error)
        }
    }

    /// Commits that names mean.
    var named: Set<String> { state.withLock { Set($0.entries.values.map(\.commit)) } }

    /// The commit that a name stays at; nil for one that is followed.
    func pinnedCommit(of name: String) -> String? {
        isPinned ? state.withLock { $0.entries[name]?.commit } : nil
    }

    /// Follows the store until the task is cancelled.
    func follow(every pause: Duration = .milliseconds(100)) async {
        guard !isPinned else { return }
        while !Task.isCancelled {
            do {
                let number = try store.state()
                try await look(at: number) { $0.number != number && $0.rest <= .now }
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
    func lookAgain() async throws -> [String] { try await look(at: store.state()) { _ in true } }

    /// Looks names up again.
    ///
    /// - Parameter number: Of the store, now.
    @discardableResult
    private func look(
        at number: Int, _ isDue: (Entry) -> Bool
    ) async throws -> [String] {
        var moved: [String] = []
        for (name, old) in state.withLock({ $0.entries }) where isDue(old) {
            do {
                guard let new = try resolve(name) else {
                    state.withLock { $0.entries[name] = nil }
                    logger.notice("a model is gone", metadata: ["model": "\(name)"])
                    continue
                }
                if new != old.commit { _ = try await models.model(new) }
                guard note(name, new, number), new != old.commit else { continue }
                moved.append(name)
                logger.notice("new head", metadata: ["model": "\(name)", "commit": "\(new)"])
            } catch {
                rest(name)
                logger.warning(
                    "a new head cannot be loaded; the one before answers",
                    metadata: ["model": "\(name)", "error": "\(error)"])
            }
        }
        return moved.sorted()
    }

    /// The commit that a name means; nil for none.
    private func resolve(_ name: String) throws -> String? {
        do {
            return try store.resolve(model: name)
        } catch let error as CambiumError where ![.io, .busy, .limit].contains(error.code) {
            return nil
        }
    }

    /// Notes what a name means, unless that was looked up later.
    private func note(_ name: String, _ commit: String, _ number: Int) -> Bool {
        state.withLock { state in
            guard let entry = state.entries[name], entry.number <= number else { return false }
            if entry.commit != commit { state.switches += 1 }
            state.entries[name] = Entry(commit: commit, number: number, lastUse: entry.lastUse)
            return true
        }
    }

    /// Lets a name rest whose new head could not be loaded.
    private func rest(_ name: String) {
        state.withLock { state in
            guard let pause = state.entries[name]?.pause else { return }
            let longer = min(max(pause * 2, Self.pauses.first), Self.pauses.longest)
            state.entries[name]?.pause = longer
            state.entries[name]?.rest = .now + longer
        }
    }

    /// How often a name came to mean another commit.
    var switches: Int { state.withLock { $0.switches } }
}
