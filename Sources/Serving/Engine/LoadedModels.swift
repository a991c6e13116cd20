internal import Cambium
internal import Synchronization

/// The models in memory: loaded when they are first asked for, and dropped by least recent use.
final class LoadedModels: Sendable {
    private struct State {
        /// In the order of their last use, the latest last.
        var loaded: [LoadedModel] = []
        var loading: [String: Task<LoadedModel, any Error>] = [:]
        /// Commits that do not fit the memory limit even alone, and why.
        var unfit: [String: CambiumError] = [:]
        /// Commits that no name meant when that was looked at last.
        var unnamed: Set<String> = []
        var loads = 0
        var drops = 0
        /// Of the models that were dropped.
        var picks = ExpertPicks()

        mutating func drop(at index: Int) -> LoadedModel {
            let model = loaded.remove(at: index)
            model.drop()
            drops += 1
            picks.add(model.model.statistics)
            return model
        }
    }

    /// Models that may be in memory at the same time; those that are used count, and stay.
    private let most: Int
    private let memoryLimit: Int?
    /// Bytes that the process has in memory, its own and mapped ones.
    private let memory: @Sendable () -> Int
    private let read: @Sendable (String) async throws -> MappedModel
    private let state = Mutex(State())

    /// - Parameters:
    ///   - memory: Bytes that the process has in memory.
    ///   - read: Maps the model of a commit; throws `limit` where the memory limit leaves no room for it.
    init(
        most: Int, memoryLimit: Int? = nil,
        memory: @escaping @Sendable () -> Int = { ProcessStatistics().residentBytes },
        read: @escaping @Sendable (String) async throws -> MappedModel
    ) {
        self.most = most
        self.memoryLimit = memoryLimit
        self.memory = memory
        self.read = read
    }

    convenience init(_ store: Store, _ options: ModelOptions, most: Int) {
        self.init(most: most, memoryLimit: options.memoryLimit) { commit in
            try await store.begin { store, _ in try store.model(commit, options) }.value
        }
    }

    /// The model of a commit.
    func model(_ commit: String) async throws -> LoadedModel {
        let (known, task) = try state.withLock {
            state throws -> (LoadedModel?, Task<LoadedModel, any Error>?) in
            if let index = state.loaded.firstIndex(where: { $0.commit == commit }) {
                let model = state.loaded.remove(at: index)
                state.loaded.append(model)
                return (model, nil)
            }
            if let task = state.loading[commit] { return (nil, task) }
            if let error = state.unfit[commit] { throw error }
            let task = Task { try await self.load(commit) }
            state.loading[commit] = task
            return (nil, task)
        }
        if let known { return known }
        guard let task else { throw APIError(.failed, "no model was loaded", code: "internal") }
        return try await task.value
    }

    /// Maps a model; where there is no room for it, those that were not used for longest make some.
    private func load(_ commit: String) async throws -> LoadedModel {
        do {
            dropUnused()
            while true {
                do {
                    let model = LoadedModel(try await read(commit))
                    add(model)
                    return model
                } catch let error as CambiumError where error.code == .limit && memoryLimit != nil {
                    guard await dropOldest() else {
                        noteUnfit(commit, error)
                        throw error
                    }
                }
            }
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

    /// Remembers what does not fit alone, so that asking for it again drops no other model.
    private func noteUnfit(_ commit: String, _ error: CambiumError) {
        state.withLock { state in
            guard state.loaded.isEmpty, state.unfit.count < 1024 else { return }
            state.unfit[commit] = error
        }
    }

    /// Drops the model that was not used for longest, and waits until its memory is free.
    ///
    /// - Returns: Whether there was one that nobody uses.
    private func dropOldest() async -> Bool {
        weak var model: LoadedModel?
        let isFound = state.withLock { state in
            guard let index = state.loaded.firstIndex(where: { !$0.isUsed }) else { return false }
            model = state.drop(at: index)
            return true
        }
        guard isFound else { return false }
        // An empty batch may keep it a little.
        for _ in 0..<100 where model != nil { try? await Task.sleep(for: .milliseconds(50)) }
        ProcessStatistics.returnFreedMemory()
        return true
    }

    /// Drops models that nobody uses, the least recently used first, while there are too many or too much is in memory.
    func dropUnused() {
        let isOverLimit = memoryLimit.map { memory() > $0 } ?? false
        let hasDropped = state.withLock { state in
            let before = state.drops
            func dropOne() -> Bool {
                let index = state.loaded.dropLast().firstIndex { !$0.isUsed }
                return index.map { state.drop(at: $0) } != nil
            }
            while state.loaded.count > most, dropOne() {}
            // One at a time for memory: what it gives back is known later.
            if isOverLimit, state.drops == before { _ = dropOne() }
            return state.drops > before
        }
        if hasDropped, memoryLimit != nil { ProcessStatistics.returnFreedMemory() }
    }

    /// Drops models that no name means any more, as soon as nobody uses them: what is kept, collection cannot free.
    ///
    /// One that was just loaded for a name has a little time to get it.
    ///
    /// - Parameter named: Commits that names mean.
    func dropUnnamed(_ named: Set<String>) {
        state.withLock { state in
            let unnamed = Set(state.loaded.map(\.commit)).subtracting(named)
            for commit in unnamed.intersection(state.unnamed) {
                if let index = state.loaded.firstIndex(where: { $0.commit == commit && !$0.isUsed })
                {
                    _ = state.drop(at: index)
                }
            }
            state.unnamed = unnamed
        }
    }

    /// What is in memory, and what was loaded and dropped so far.
    var counts: (loaded: [LoadedModel], loads: Int, drops: Int) {
        state.withLock { ($0.loaded, $0.loads, $0.drops) }
    }

    /// Picks of experts of all models so far.
    var picks: ExpertPicks {
        state.withLock { state in
            state.loaded.reduce(into: state.picks) { $0.add($1.model.statistics) }
        }
    }
}

/// How often experts were picked.
struct ExpertPicks: Sendable {
    var all = 0
    /// Of experts that were not at hand yet.
    var first = 0

    mutating func add(_ statistics: RunStatistics) {
        all += statistics.selections
        first += statistics.firstSelections
    }
}
