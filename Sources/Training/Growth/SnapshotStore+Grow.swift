internal import Architectures
package import Checkpoints
package import Elements
internal import Evidence
package import Models
internal import Objects
internal import Routing
package import Snapshots
internal import Tensors

/// A model with one expert more in each layer, and how that went.
package struct GrownModel {
    package let model: CommittedModel
    package let grown: ExpertGrowth.Result
    /// The new expert's number in every layer.
    package let expert: Int
    package let newTokens: Int
    /// Tokens of old text that the evidence is of.
    package let oldTokens: Int

    /// Tokens of the new domain and of old text that the figures are of.
    package var measuredTokens: [Int] {
        [grown.figures.newTokens, grown.figures.oldTokens].map {
            $0 / max(grown.additions.count, 1)
        }
    }
}

extension SnapshotStore {
    /// Adds an expert to every layer of a branch's model, its router rows solved in closed form.
    ///
    /// - Parameters:
    ///   - source: A checkpoint or a revision, which expert of it, and how both are written.
    ///   - evidence: Texts of the new domain.
    ///   - keep: Further texts whose routes are to stay.
    ///   - unchanged: The share of old text's routes that must stay.
    ///   - limit: Bytes of each kind of text that are read at most.
    package func addExpert(
        from source: (path: String, expert: Int?, text: String), evidence: [[UInt8]],
        keep: [[UInt8]], unchanged: Double, limit: Int?, threads: Int, _ request: CommitRequest,
        progress: ProgressReporter
    ) throws -> GrownModel {
        try ThreadTeam.check(threads)
        guard (0...1).contains(unchanged) else {
            throw CambiumError(
                .usage, "\(unchanged) is no share of routes; give a number from 0 to 1")
        }
        let (target, snapshot) = try modelToGrow(request)
        let pools = try wholePools(snapshot.tree)
        let running = try SnapshotModel(snapshot, checks: true)
        let experts = try SourceExperts(
            source.path, source.expert, named: source.text, for: pools, in: self)
        var routes = try KeptRoutes(snapshot, running)
        let new = try routes.windows(of: limited(evidence, to: limit), "the text of the new domain")
        for (index, text) in limited(keep, to: limit).enumerated() {
            try routes.add(
                text, keep.count == 1 ? "the old text" : "old text \(index + 1)",
                threads: threads, progress)
        }
        let old = try routes.united()
        let types = pools.mapValues { $0.router.mapValues(\.shape.type) }
        let grown = try ExpertGrowth(
            running.model.base, experts: experts.experts, old: old, new: new,
            team: threads == 1 ? .single : ThreadTeam(count: threads)
        ) { numbers, layer, part in
            let type = types[layer]?.first { ExpertGrowth.RouterPart($0.key) == part }?.value
            return Self.rounded(numbers, type ?? .f32)
        }.solve(unchanged: unchanged) { try progress(Progress("layers", $0, $1)) }
        let model = try commit(
            grown, experts.experts, routes, request, target, snapshot,
            notes: experts.notes + routes.notes, source.text)
        return GrownModel(
            model: model, grown: grown, expert: Int(pools.values.first?.count ?? 0),
            newTokens: new.joined().count, oldTokens: Int(clamping: old.tokenCount))
    }

    /// Takes an expert out of every layer of a branch's model; those behind it move up.
    ///
    /// - Parameter expert: Its number; nil for the last one.
    package func dropExpert(_ expert: Int?, _ request: CommitRequest) throws -> CommittedModel {
        let (target, snapshot) = try modelToGrow(request)
        let pools = try wholePools(snapshot.tree)
        let counts = Set(pools.values.map { Int($0.count) })
        guard let count = counts.first, counts.count == 1 else {
            throw CambiumError(.unsupported, "the layers have different numbers of experts")
        }
        let number = expert ?? count - 1
        guard (0..<count).contains(number) else {
            throw CambiumError(
                .notFound, "there is no expert \(number); the layers have 0 to \(count - 1)")
        }
        let description = try SnapshotModel(snapshot, checks: true).model.description
        for sizes in description.layers.compactMap(\.experts) { try Self.check(sizes, count) }
        let draft = try CommitDraft(self, tree: snapshot.tree)
        var edit = ExpertCountEdit(draft, snapshot)
        for layer in pools.keys.sorted() { try edit.remove(number, from: layer) }
        var request = request
        request.note.metadata["expert.dropped"] = "\(number)"
        return try target.commit(fitting: edit.finish(by: -1), request)
    }

    /// The pool of every layer, none of which lacks an expert.
    private func wholePools(_ tree: Tree) throws -> [Int: ExpertPool] {
        let pools = try tree.countedPools()
        for (layer, pool) in pools.sorted(by: { $0.key < $1.key }) {
            guard let gap = try absentOrdinals(ofArray: pool.experts).first else { continue }
            throw CambiumError(
                .unsupported,
                "layer \(layer) has no expert \(gap); only whole layers get or lose one")
        }
        return pools
    }

    private static func check(_ sizes: ModelDescription.Experts, _ count: Int) throws {
        guard sizes.topK < count else {
            throw CambiumError(
                .unsupported,
                "a token picks \(sizes.topK) experts; \(count - 1) would be too few")
        }
        if case .sigmoid(let groups, _, _, _) = sizes.scoring, groups > 1 {
            throw CambiumError(
                .unsupported,
                "the experts are in \(groups) groups of one size, of which none can lose one")
        }
    }

    private func modelToGrow(_ request: CommitRequest) throws -> (CommitTarget, MappedSnapshot) {
        let target = try CommitTarget(request, self)
        guard let parent = target.parent, !target.isNewBranch else {
            throw CambiumError(
                .notFound,
                "there is no branch '\(target.branch)' with a model; `cambium branch` lists them")
        }
        return (target, try map(parent))
    }

    private func commit(
        _ grown: ExpertGrowth.Result, _ experts: [Int: [UInt8]], _ routes: KeptRoutes,
        _ request: CommitRequest, _ target: CommitTarget, _ snapshot: MappedSnapshot,
        notes: [String], _ source: String
    ) throws -> CommittedModel {
        var draft = try CommitDraft(self, tree: snapshot.tree)
        for record in routes.added { _ = try draft.add(.routes(record)) }
        var edit = ExpertCountEdit(draft, snapshot)
        for addition in grown.additions {
            try edit.add(experts[addition.layer] ?? [], to: addition.layer) { name in
                ExpertGrowth.RouterPart(name).flatMap { addition.stored[$0] } ?? []
            }
        }
        var request = request
        request.note.metadata["expert.from"] = source
        request.note.metrics["expert.picked"] = grown.figures.pickedShare
        request.note.metrics["expert.unchanged"] = grown.figures.unchangedShare
        return try target.commit(
            fitting: edit.finish(by: 1), request, newExperts: experts.count, notes: notes)
    }

    /// Numbers as a type stores them, and what they are then.
    private static func rounded(
        _ numbers: [Float], _ type: ElementType
    ) -> (bytes: [UInt8], numbers: [Float]) {
        let parts = [TensorShape(type, [numbers.count])]
        let bytes = FloatCode.encode(numbers.map(Double.init), parts) ?? []
        return (bytes, (FloatCode.decode(bytes, parts) ?? []).map { Float($0) })
    }
}

extension ExpertGrowth.RouterPart {
    /// The part that a tensor of a router is, by its name.
    fileprivate init?(_ name: String) {
        switch name {
        case _ where name.hasSuffix(".e_score_correction_bias"): self = .correction
        case _ where name.hasSuffix(".bias"): self = .bias
        case _ where name.hasSuffix(".weight"): self = .row
        default: return nil
        }
    }
}

extension ExpertGrowth.Figures {
    package var pickedShare: Double { Double(picked) / Double(max(newTokens, 1)) }
    package var unchangedShare: Double { Double(unchanged) / Double(max(oldTokens, 1)) }
}
