internal import Cambium
internal import Dispatch
internal import Synchronization

/// The models in memory: loaded when they are first asked for, and dropped by least recent use.
final class LoadedModels: Sendable {
    private struct State {
        /// In the order of their last use, the latest last.
        var loaded: [LoadedModel] = []
        var loading: [String: Task<LoadedModel, any Error>] = [:]
        var loads = 0
        var drops = 0
    }

    private let store: Store
    private let options: ModelOptions
    /// Models that may be in memory at the same time; those that are used count, and stay.
    private let most: Int
    private let state = Mutex(State())

    init(_ store: Store, _ options: ModelOptions, most: Int) {
        self.store = store
        self.options = options
        self.most = most
    }

    /// The model of a commit.
    func model(_ commit: String) async throws -> LoadedModel {
        let (known, task) = state.withLock {
            state -> (LoadedModel?, Task<LoadedModel, any Error>?) in
            if let index = state.loaded.firstIndex(where: { $0.commit == commit }) {
                let model = state.loaded.remove(at: index)
                state.loaded.append(model)
                return (model, nil)
            }
            if let task = state.loading[commit] { return (nil, task) }
            let task = Task { try await self.load(commit) }
            state.loading[commit] = task
            return (nil, task)
        }
        if let known { return known }
        guard let task else { throw APIError(.failed, "no model was loaded", code: "internal") }
        return try await task.value
    }

    private func load(_ commit: String) async throws -> LoadedModel {
        do {
            let options = options
            let model = LoadedModel(
                try await store.begin { store, _ in try store.model(commit, options) }.value)
            add(model)
            return model
        } catch {
            state.withLock { $0.loading[commit] = nil }
            throw error
        }
    }

    private func add(_ model: LoadedModel) {
        state.withLock { state in
            state.loading[model.commit] = nil
            state.loaded.append(model)
            state.loads += 1
        }
        dropUnused()
    }

    /// Drops models that nobody uses, the least recently used first, while there are too many or too much is in memory.
    func dropUnused() {
        let used = memory
        state.withLock { state in
            var isOverLimit = options.memoryLimit.map { used > $0 } ?? false
            while state.loaded.count > most || isOverLimit && state.loaded.count > 1 {
                guard let index = state.loaded.dropLast().firstIndex(where: { !$0.isUsed }) else {
                    return
                }
                state.loaded.remove(at: index)
                state.drops += 1
                // One at a time for memory: what it gives back is known later.
                isOverLimit = false
            }
        }
    }

    /// Drops a model; one that is answering goes when it is its turn.
    func drop(_ commit: String) {
        state.withLock { state in
            guard
                let index = state.loaded.firstIndex(where: { $0.commit == commit && !$0.isUsed })
            else { return }
            state.loaded.remove(at: index)
            state.drops += 1
        }
    }

    /// Whether the model of a commit is in memory.
    func has(_ commit: String) -> Bool {
        state.withLock { $0.loaded.contains { $0.commit == commit } }
    }

    /// What is in memory, and what was loaded and dropped so far.
    var counts: (loaded: [LoadedModel], loads: Int, drops: Int) {
        state.withLock { ($0.loaded, $0.loads, $0.drops) }
    }

    /// Bytes that the process has in memory, its own and mapped ones.
    private var memory: Int {
        guard options.memoryLimit != nil,
            let statistics = counts.loaded.first?.model.statistics
        else { return 0 }
        return statistics.rssAnon + statistics.rssFile
    }
}
