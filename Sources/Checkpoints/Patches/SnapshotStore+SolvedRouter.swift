internal import Architectures
internal import Elements
package import Evidence
internal import Objects
package import Routing
package import Snapshots

/// What committing a solved router made of a branch's model.
package struct CommittedRouter: Sendable {
    package let router: SolvedRouter
    package let model: CommittedModel
}

extension SnapshotStore {
    /// Commits a branch's model with a layer's router in the form that its Gram sums of picks are solved to.
    ///
    /// The model's config.json says so, and with what settings, so that a merge can solve it again.
    ///
    /// - Throws: As ``router(at:layer:form:topK:threads:)``; `unsupported` for a layer without neurons;
    ///   `dependedOn` where the router of a layer above is solved from states behind this one; `unfit` for adapters
    ///   that were trained over the router before.
    package func commitRouter(
        _ request: CommitRequest, layer: Int, form: ReadOut.Form, threads: Int
    ) throws -> CommittedRouter {
        let target = try CommitTarget(request, self)
        let (parent, before) = try target.model()
        let config = try peerConfig(of: before, parent.short)
        guard config.peerLayers.contains(layer) else {
            throw CambiumError(
                .unsupported,
                config.linearLayers.contains(layer)
                    ? "the experts of layer \(layer) are SwiGLU networks below a linear router, which no model "
                        + "runs solved; merge such models with --policy solve"
                    : "layer \(layer) has no neurons; layers that have: "
                        + config.peerLayers.map(String.init).joined(separator: ", "))
        }
        let solved = try router(
            at: parent.hex, layer: layer, form: form, topK: nil, threads: threads)
        let solution = solved.solution
        guard let own = PeerConfig.Solved.Form(rawValue: form.rawValue) else {
            throw CambiumError(.usage, "no router is solved by \(form.rawValue)")
        }
        let after = try config.solving(layer, form: own, heads: solution.heads)
        var draft = try CommitDraft(self, tree: before)
        if let pool = before.layers[UInt32(layer)]?.pools[ExpertPool.base],
            try !solution.isRouter(of: pool)
        {
            try checkAbove(layer, config, before)
            try solution.put(into: &draft)
        }
        if after.solved != config.solved, let solved = after.solved {
            let bytes = try before.files[Checkpoint.configName].map { try data(of: $0).1 } ?? []
            var edit = JSONEdit(bytes, source: Checkpoint.configName, code: .badConfig)
            _ = try edit.set("solved", json: solved.json)
            draft.tree.files[Checkpoint.configName] = try draft.put(.file, edit.bytes)
        }
        var request = request
        request.note.metadata["router.solved"] =
            "layer=\(layer) form=\(form.rawValue) heads=\(solution.heads) records=\(solution.evidence.count)"
        return CommittedRouter(
            router: solved, model: try target.commit(fitting: draft, request))
    }

    /// Refuses to change a router below one that is solved: what that was solved from would be of another model.
    private func checkAbove(_ layer: Int, _ config: PeerConfig, _ tree: Tree) throws {
        let above = config.solved?.layers.filter { $0 > layer } ?? []
        let known = try above.isEmpty ? [] : evidence(of: tree).gramSums
        for upper in above
        where known.contains(where: { Int($0.source.layer) == upper && $0.source.isOfExperts }) {
            throw CambiumError(
                .dependedOn,
                "the router of layer \(upper) is solved from states behind layer \(layer), whose router would "
                    + "change; drop the evidence of layer \(upper) (cambium evidence ls, evidence drop), solve "
                    + "layer \(layer), and then add it again and solve layer \(upper)")
        }
    }
}
