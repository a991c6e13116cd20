internal import Architectures
package import Elements
package import Models
package import Objects
package import Routing
package import Snapshots
internal import Tensors

/// Records of what a model's experts read on old text: states, and of hashed ones the picks.
package struct KeptStates {
    /// Tokens of a window, at most, and windows of a text.
    private static let (longest, most) = (128, 256)

    private let snapshot: MappedSnapshot
    private let running: SnapshotModel
    private let known: [(id: ObjectID, record: StateContribution)]

    /// - Parameter running: Of the snapshot.
    package init(_ snapshot: MappedSnapshot, _ running: SnapshotModel) throws {
        self.snapshot = snapshot
        self.running = running
        known = try snapshot.evidence().compactMap { entry in
            guard case .states(let record) = entry.record else { return nil }
            return (entry.id, record)
        }
    }

    /// Runs the base over a text, or finds the record of this model that has as many states of it.
    ///
    /// - Parameters:
    ///   - text: A record names it.
    ///   - what: The text, for messages.
    ///   - count: States of a layer, at most.
    /// - Returns: The record, and that with fewer states which it takes the place of.
    /// - Throws: `usage` for a count that cannot be; `bad-input` for a text without tokens; `unsupported` for a model
    ///   without experts.
    package func record(
        of text: [UInt8], _ what: String, label: String, count: Int, threads: Int,
        _ progress: ProgressReporter
    ) throws -> (record: StateContribution, replaced: ObjectID?) {
        guard (1...StateContribution.most).contains(count) else {
            throw CambiumError(
                .usage, "\(count) states of a text; give 1 to \(StateContribution.most)")
        }
        let data = try ObjectID(ofFile: text).bytes
        let model =
            try ObjectID(
                hex: BaseDigests.digest(snapshot.tree, .routers, .experts))?.bytes ?? []
        let isHashed = running.model.base.hasRows
        let tokens = try running.vocabulary.tokens(of: text, addsSpecialTokens: false)
        guard !tokens.isEmpty else { throw CambiumError(.badInput, "\(what) has no tokens") }
        let size = min(Self.longest, running.model.description.contextLength)
        let all = stride(from: 0, to: tokens.count, by: size).map {
            Array(tokens[$0..<min($0 + size, tokens.count)])
        }
        let windows =
            all.count <= Self.most
            ? all : (0..<Self.most).map { all[$0 * all.count / Self.most] }
        let old = known.filter { $0.record.data == data && $0.record.model == model }
            .max { ($0.record.count, $1.id) < ($1.record.count, $0.id) }
        let most = windows.reduce(0) { $0 + $1.count }
        if let old, old.record.count >= min(count, most),
            (old.record.rows != nil) == isHashed
        {
            return (old.record, nil)
        }
        let count = max(count, old?.record.count ?? 0)
        let read = try StateReader(
            running.model.base, team: threads == 1 ? .single : ThreadTeam(count: threads)
        ).read(windows, count: count) { try progress(Progress("layers of old text", $0, $1)) }
        let record = try counted(.usage) {
            try StateContribution(
                label: label, data: data, byteCount: UInt64(text.count), model: model,
                count: read.count, layers: read.layers, rows: read.rows)
        }
        return (record, old?.id)
    }
}

extension [NamedContribution] {
    /// The records of what expert layers read.
    package var states: [StateContribution] {
        compactMap { if case .states(let record) = $0.record { record } else { nil } }
    }

    /// The states of all records, by layer, in the order of the records.
    ///
    /// What was read before weights changed is of use as well: it is near to what old text gives now.
    ///
    /// - Parameter width: Of the layers; records of another one are of another model, and are left out.
    package func states(layers: [Int], width: Int) -> [Int: [Float]] {
        var states: [Int: [Float]] = [:]
        for record in self.states where record.layers.allSatisfy({ $0.width == width }) {
            for layer in record.layers where layers.contains(Int(layer.number)) {
                states[Int(layer.number), default: []] += layer.states
            }
        }
        return states
    }

    /// What all records say that old text picks of hashed experts, [tokens, orders].
    ///
    /// - Parameter router: Records of another hash are left out.
    package func rowPicks(_ router: HashRouter) -> [UInt32] {
        states.flatMap { $0.rows?.router == router ? $0.rows?.picks ?? [] : [] }
    }
}
