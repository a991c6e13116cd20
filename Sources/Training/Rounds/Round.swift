internal import Architectures
internal import Checkpoints
internal import Elements
package import Evidence
internal import Models
package import Snapshots

/// What one kind of round trains, and how that becomes part of a model.
///
/// All rounds take the same way (``SnapshotStore/train(_:progress:isStopped:)``): *resolve* what of the branch's
/// model is trained, *fit* it to the texts, *evaluate* the model as it will be, *patch* the branch's tree,
/// *commit*.
protocol Round {
    /// What the model that is trained is made of.
    var config: PeerConfig { get }
    /// Names the weights that training starts from.
    var start: String { get }
    /// Whom the round's texts are evidence of: an adapter, or the base.
    var learner: String { get }

    /// Resolves the rest, for which the texts may have to be run: what the optimiser moves.
    ///
    /// - Parameter label: Of the round's evidence.
    mutating func parameters(
        label: String, _ progress: ProgressReporter
    ) throws -> any TrainedParameters
    /// What answers the round's texts before it, to fit close to.
    func modelBefore() throws -> TrainableModel

    /// Evaluates: gives the bits per byte of texts under the model as it will be committed.
    func evaluation(
        _ gate: EvidenceGate?, _ mixture: MixtureDescription?, threads: Int
    ) throws -> ([UInt8]) throws -> Double

    /// Whether the head may be another than the one that training started from, unless there is an obstacle.
    var followsHead: Bool { get }
    /// Why what was trained does not fit a head; nil when it does.
    func obstacle(in tree: Tree) throws -> String?
    /// Patches: stages what was trained, and puts it into the draft's tree.
    func patch(_ draft: inout CommitDraft) throws
    /// Checks by ids that all the rest is what it was.
    func checkFrozen(_ before: Tree?, _ after: Tree) throws
    /// Whether the patch has a layout of its own.
    var bringsLayout: Bool { get }

    /// Numbers that were trained.
    var parameterCount: Int { get }
    /// The adapter that was trained, if it was one.
    var adapter: TrainedAdapter? { get }
    /// The experts that were edited, by layer.
    var edited: [(layer: Int, experts: [Int])] { get }
}

extension Round {
    var learner: String { ExpertPool.base }
    var followsHead: Bool { false }
    var bringsLayout: Bool { false }
    var adapter: TrainedAdapter? { nil }
    var edited: [(layer: Int, experts: [Int])] { [] }

    func obstacle(in tree: Tree) throws -> String? { nil }
}

/// Where a round starts: the head of its branch.
struct RoundStart {
    let target: CommitTarget
    /// Nil for a branch without a model.
    let snapshot: MappedSnapshot?
    /// The branch's.
    let evidence: [NamedContribution]
    let request: RoundRequest

    init(_ store: SnapshotStore, _ request: RoundRequest) throws {
        self.request = request
        target = try CommitTarget(request.commit, store)
        snapshot = try target.parent.map { try store.map($0) }
        evidence = try snapshot?.evidence() ?? []
    }

    /// The round that is asked for.
    ///
    /// - Throws: `limit` where there is no room for its hashed rows; what it refuses.
    func resolve() throws -> any Round {
        try checkRows()
        return switch request.target {
        case .adapter(let name, let kind, let pool):
            try AdapterRound(self, name, kind, pool)
        case .model(let freezesTrunk, let freezesExperts, let initial):
            try ModelRound(
                self, freezesTrunk: freezesTrunk, freezesExperts: freezesExperts, initial)
        case .experts(let count, let background):
            try EditRound(self, count, background)
        }
    }
}

extension RoundStart {
    /// Refuses a round whose tables of hashed rows there is no address space for: of the model, of an adapter, and
    /// of the copies that they are held to.
    private func checkRows() throws {
        var (config, tables) = (try? snapshot?.peerConfig(), 1)
        switch request.target {
        case .adapter: tables = 2
        case .model(_, _, let initial): if let initial { config = try? PeerConfig(json: initial) }
        case .experts: break
        }
        let copies =
            1 + (request.divergenceWeight > 0 ? 1 : 0) + (request.hold == nil ? 0 : 1)
        try config?.checkRows(tables: tables * copies * (config?.hash?.layers.count ?? 0))
    }
}

/// An adapter that a round trained.
package struct TrainedAdapter: Sendable {
    package let name: String
    package let isNew: Bool
    /// The adapter as which it began; nil where it began as nothing.
    package let startedFrom: String?
}

/// What a round did.
package struct RoundResult {
    package let outcome: CommitOutcome
    package let branch: String
    package let summary: TrainingSummary
    /// Of the held-out texts, by name.
    package let bitsPerByte: [String: Double]
    /// After the round.
    package let gate: EvidenceGate?
    package let parameterCount: Int
    package let adapter: TrainedAdapter?
    package let edited: [(layer: Int, experts: [Int])]
}
