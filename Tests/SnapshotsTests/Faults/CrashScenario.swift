import Elements
import KeyValue
import Objects
import Remotes
import Snapshots
import TestSupport

/// One operation that changes the disk, to be killed at each of its steps and run again.
enum CrashScenario: String, CaseIterable, Codable {
    case create
    case firstCommit
    case commit
    case step
    case merge
    case prune
    case repack
    case compress
    case repackSteps
    case fetch

    private static let base = SyntheticModel.sample(experts: 120)

    private static var edited: SyntheticModel {
        var model = base
        for ordinal in 0..<30 { model.edit(ordinal, seed: 800 + ordinal) }
        model.trunk["other"] = .init([200, 100], seed: 5)
        model.trunk["third"] = .init([200, 120], seed: 6)
        return model
    }

    /// Small steps from the base, one after the other, with a tensor that is kept in segments.
    private static func stepped(_ count: Int) -> SyntheticModel {
        var model = base
        model.trunk["huge"] = .init([600, 128], seed: 9)
        for step in 0..<count { model.step(seed: step, every: 60) }
        return model
    }

    /// The state before the operation.
    func prepare(_ path: String) throws {
        guard self != .create else { return }
        try SnapshotStore.create(at: path)
        guard self != .firstCommit else { return }
        let store = try SnapshotStore.open(path)
        let root = try store.commit(Self.base, time: 0).id
        switch self {
        case .create, .firstCommit, .commit:
            break
        case .fetch:
            try prepareRemote(beside: path)
        case .step, .repackSteps:
            for step in 0..<4 { try commit(Self.stepped(step), path, nil, stepwise: true) }
        case .merge:
            var side = Self.base
            side.edit(100, seed: 1)
            side.editRow(7, seed: 2)
            try store.commit(side, to: "side", parents: [root], time: 1, startingBranch: true)
            var main = Self.base
            main.edit(101, seed: 3)
            main.editRow(8, seed: 4)
            try store.commit(main, time: 2)
        case .prune, .repack, .compress:
            // Keeps 20 of 120 experts of the first pack, and leaves a pack without any.
            var next = Self.base
            for ordinal in 0..<100 { next.edit(ordinal, seed: 900 + ordinal) }
            try store.commit(next, to: "next", parents: [], time: 0)
            let lost = try store.commit(
                .sample(experts: 90, seed: 70), to: "lost", parents: [], time: 0
            ).id
            try store.setHead(.branch("next"), by: .old)
            try store.moveReference(.branch, "lost", from: lost, to: nil, by: .old)
            try store.moveReference(.branch, "main", from: root, to: nil, by: .old)
        }
    }

    /// A remote with the store's commit and four behind it, some of them stored as differences.
    private func prepareRemote(beside path: String) throws {
        try withScratchDirectory { directory in
            let source = directory + "/source"
            try SnapshotStore.create(at: source)
            let store = try SnapshotStore.open(source)
            try store.commit(Self.base, time: 0)
            for step in 0..<3 { try commit(Self.stepped(step), source, nil, stepwise: true) }
            try store.commit(Self.edited, time: 5)
            let push = Push(
                store, to: Remote(FileRemote(Self.remote(beside: path))), named: "origin",
                author: "tester", time: 0)
            _ = try push.run([
                PushedReference(.branch, "main", try store.references().branches["main"])
            ])
        }
    }

    private static func remote(beside path: String) -> String {
        path.split(separator: "/").dropLast().map { "/\($0)" }.joined() + "/remote"
    }

    /// The operation itself; may find that it was done already.
    func run(_ path: String, observer: (@Sendable (String) -> Void)? = nil) throws {
        switch self {
        case .create:
            do {
                try SnapshotStore.create(at: path, observer: observer)
            } catch let error as CambiumError {
                guard error.code == .exists else { throw error }
            }
        case .firstCommit:
            try commit(Self.base, path, observer)
        case .commit:
            try commit(Self.edited, path, observer)
        case .step:
            try commit(Self.stepped(4), path, observer, stepwise: true)
        case .merge:
            let store = try SnapshotStore.open(path, observer: observer)
            _ = try store.merge(
                [try store.resolve("side")], into: "main", policy: nil, note: .sample(time: 9))
        case .prune:
            let store = try SnapshotStore.open(path, observer: observer)
            _ = try store.collect(prune: true, now: 1_000, grace: 0)
        case .repack, .repackSteps:
            _ = try SnapshotStore.repack(path, observer: observer)
        case .compress:
            _ = try SnapshotStore.repack(path, compress: true, observer: observer)
        case .fetch:
            let store = try SnapshotStore.open(path, observer: observer)
            let fetch = Fetch(
                store, from: Remote(FileRemote(Self.remote(beside: path))), named: "origin",
                by: .sample)
            _ = try fetch.run()
        }
    }

    private func commit(
        _ model: SyntheticModel, _ path: String, _ observer: (@Sendable (String) -> Void)?,
        stepwise: Bool = false
    ) throws {
        let store = try SnapshotStore.open(path, observer: observer)
        let head = try store.references().branches["main"]
        let before = try stepwise ? head.map { try store.tree(store.commit($0).tree) } : nil
        // Low thresholds, so that packs are written ahead of the commit, and the largest by themselves.
        var draft = try CommitDraft(
            store, tree: before ?? Tree(architecture: ""), flushThreshold: 70_000,
            segments: stepwise ? (limit: 200_000, bytes: 100_000) : nil, aloneLimit: 90_000)
        try model.stage(in: &draft)
        _ = try draft.commit(to: "main", parents: head.map { [$0] } ?? [], note: .sample(time: 9))
    }
}

/// What a store holds: every branch's commit and model.
struct StoreContent: Equatable {
    var branches: [String: ObjectID] = [:]
    var models: [String: SyntheticModel] = [:]

    init(_ store: SnapshotStore) throws {
        let references = try store.references()
        branches = references.branches.merging(references.remotes) { $1 }
        for (name, id) in branches { models[name] = try store.model(at: id) }
    }

    init(_ path: String) throws { try self.init(try SnapshotStore.open(path)) }
}
