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
    /// Where a gate picks the model that has grown; nil where it is the model.
    package let gated: Gated?

    /// The expert in an alternative that a gate picks by the text.
    package struct Gated {
        package let name: String
        /// Bits of evidence that a text owes before the alternative is as likely as the model without the expert.
        package let handicap: Int
        package let figures: GatedGrowth.Figures
    }

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
    ///   - gate: The name of an alternative that gets the expert, so that the model stays as it is and a gate picks between
    ///     both, and the share of the new domain's tokens that are to pick the expert in it; nil for none.
    ///   - limit: Bytes of each kind of text that are read at most.
    package func addExpert(
        from source: (path: String, expert: Int?, text: String), evidence: [[UInt8]],
        keep: [[UInt8]], unchanged: Double, gate: (name: String, share: Double)?, limit: Int?,
        threads: Int, _ request: CommitRequest, progress: ProgressReporter
    ) throws -> GrownModel {
        try ThreadTeam.check(threads)
        guard (0...1).contains(unchanged) else {
            throw CambiumError(
                .usage, "\(unchanged) is no share of routes; give a number from 0 to 1")
        }
        let (target, snapshot) = try modelToGrow(request)
        let (evidence, keep) = (limited(evidence, to: limit), limited(keep, to: limit))
        let counts = try gate.map {
            try GrowthCounts(snapshot, $0.name, share: $0.share, new: evidence, old: keep)
        }
        let pools = try wholePools(snapshot, changing: gate == nil)
        let running = try SnapshotModel(snapshot, checks: true)
        let experts = try SourceExperts(
            source.path, source.expert, named: source.text, for: pools, in: self)
        var routes = try KeptRoutes(snapshot, running)
        let new = try routes.windows(of: evidence, "the text of the new domain")
        for (index, text) in keep.enumerated() {
            try routes.add(
                text, keep.count == 1 ? "the old text" : "old text \(index + 1)",
                threads: threads, progress)
        }
        let old = try routes.united()
        let types = pools.mapValues { $0.router.mapValues(\.shape.type) }
        let growth = try ExpertGrowth(
            running.model.base, experts: experts.experts, old: old, new: new,
            team: threads == 1 ? .single : ThreadTeam(count: threads)
        ) { numbers, layer, part in
            let type = types[layer]?.first { ExpertGrowth.RouterPart($0.key) == part }?.value
            return Self.rounded(numbers, type ?? .f32)
        }
        let grown: ExpertGrowth.Result
        var gated: GrownModel.Gated?
        if let gate, let counts {
            grown = try growth.solve(picked: gate.share) {
                try progress(Progress("layers", $0, $1))
            }
            let growth = try GatedGrowth(
                grown, counts.gate(without: grown.held, running.vocabulary.speller()),
                own: counts.own, speller: running.vocabulary.speller())
            let handicap = try growth.handicap(
                unchanged: unchanged, most: AdapterDescription.largestHandicap)
            gated = GrownModel.Gated(
                name: gate.name, handicap: handicap, figures: growth.figures(handicap: handicap))
        } else {
            grown = try growth.solve(unchanged: unchanged) {
                try progress(Progress("layers", $0, $1))
            }
        }
        let parts = GrownParts(
            result: grown, experts: experts.experts, routes: routes.added,
            counts: counts?.added ?? [], gated: gated)
        return GrownModel(
            model: try commit(
                parts, request, target, snapshot, notes: experts.notes + routes.notes, source.text),
            grown: grown, expert: Int(pools.values.first?.count ?? 0),
            newTokens: new.joined().count, oldTokens: Int(clamping: old.tokenCount), gated: gated)
    }

    /// Takes an expert out of every layer of a branch's model; those behind it move up.
    ///
    /// - Parameter expert: Its number; nil for the last one.
    package func dropExpert(_ expert: Int?, _ request: CommitRequest) throws -> CommittedModel {
        let (target, snapshot) = try modelToGrow(request)
        let pools = try wholePools(snapshot, changing: true)
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
    ///
    /// - Parameter changing: Whether the model changes, to which alternatives would be none then.
    private func wholePools(
        _ snapshot: MappedSnapshot, changing: Bool
    ) throws -> [Int: ExpertPool] {
        if changing, let name = try StoredAdapters(snapshot).alternatives.first {
            throw CambiumError(
                .unsupported,
                "'\(name)' is an alternative to the model, which would change; settle the alternatives first (cambium "
                    + "resolve), or forget them")
        }
        let pools = try snapshot.treeWithoutAlternatives().countedPools()
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
        if let groups = sizes.groups {
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
        _ grown: GrownParts, _ request: CommitRequest, _ target: CommitTarget,
        _ snapshot: MappedSnapshot, notes: [String], _ source: String
    ) throws -> CommittedModel {
        var draft = try CommitDraft(self, tree: snapshot.tree)
        for record in grown.routes { _ = try draft.add(.routes(record)) }
        for record in grown.counts { _ = try draft.add(.counts(record)) }
        var edit = ExpertCountEdit(draft, snapshot)
        for addition in grown.result.additions {
            try edit.add(
                grown.experts[addition.layer] ?? [], to: addition.layer, of: grown.gated?.name
            ) { name in
                ExpertGrowth.RouterPart(name).flatMap { addition.stored[$0] } ?? []
            }
        }
        var request = request
        request.note.metadata["expert.from"] = source
        guard let gated = grown.gated else {
            request.note.metrics["expert.picked"] = grown.result.figures.pickedShare
            request.note.metrics["expert.unchanged"] = grown.result.figures.unchangedShare
            return try target.commit(
                fitting: edit.finish(by: 1), request, newExperts: grown.experts.count,
                notes: notes)
        }
        request.note.metadata["expert.gate"] = gated.name
        request.note.metrics["expert.picked"] = gated.figures.picked
        request.note.metrics["expert.unchanged"] = gated.figures.unchanged
        draft = edit.draft
        let text = AdapterDescription(
            replacing: grown.result.additions.map(\.layer), adding: 1, handicap: gated.handicap,
            base: try BaseDigests(draft.tree).whole
        ).encoded
        draft.tree.trunk.tensors[AdapterTensorName.description(of: gated.name)] =
            try draft.putTensor(TensorShape(.u8, [text.count]), text.raw)
        let tree = draft.tree
        return CommittedModel(
            try target.commit(draft, request), tree, target, request,
            newExperts: grown.experts.count, nonFinite: NonFiniteCount(nan: 0, infinite: 0),
            notes: notes)
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

/// What is committed of a model that has grown.
private struct GrownParts {
    let result: ExpertGrowth.Result
    /// By layer.
    let experts: [Int: [UInt8]]
    let routes: [RouteContribution]
    let counts: [CountContribution]
    let gated: GrownModel.Gated?
}

extension ExpertGrowth.RouterPart {
    /// The part that a tensor of a router is, by its name.
    fileprivate init?(_ name: String) {
        switch name {
        case _ where name.hasSuffix(".e_score_correction_bias"): self = .correction
        case _ where name.hasSuffix(".per_expert_scale"): self = .scale
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
