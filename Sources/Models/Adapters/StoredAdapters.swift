package import Architectures
internal import Elements
internal import Objects
package import Snapshots

/// The adapters of deltas in a snapshot: the trunk's tensors `cohorts.NAME.…`.
package struct StoredAdapters {
    /// By ascending name.
    package let names: [String]
    /// What each is.
    package let descriptions: [AdapterDescription]
    /// The digest of the snapshot's base, which deltas are added to.
    package let base: String
    /// The digest of the base with its experts, which low-rank adapters may run with.
    package let baseWithExperts: String

    /// - Throws: `corrupt` for a description that is not one; `unsupported` for an adapter of another base:
    ///   its deltas would change weights that they were not trained with.
    package init(_ snapshot: MappedSnapshot) throws {
        let tree = snapshot.tree
        let digests = try BaseDigests(tree)
        base = digests.trunk
        baseWithExperts = digests.withExperts
        var descriptions: [String: AdapterDescription] = [:]
        for (tensor, entry) in tree.trunk.tensors {
            guard let name = AdapterTensorName.adapter(describedBy: tensor) else { continue }
            guard let count = entry.shape.byteCount, count <= AdapterDescription.largest else {
                throw CambiumError(
                    .corrupt,
                    "\(tensor) is \(entry.shape): more than the description of an adapter can be")
            }
            let bytes = try snapshot.data(of: entry.id)
            let description = try AdapterDescription(bytes, of: name)
            guard digests.fit(description) else {
                throw CambiumError(
                    .unsupported,
                    "adapter '\(name)' was made for the base \(description.base.prefix(12)); the base of "
                        + "\(snapshot.id.short) is \(digests.digest(for: description).prefix(12)). Revert what "
                        + "changed the base, or train the adapter again")
            }
            descriptions[name] = description
        }
        if let misfit = Self.misfit(descriptions, tree) {
            throw CambiumError(.unsupported, "\(snapshot.id.short) cannot run: \(misfit)")
        }
        names = descriptions.keys.sorted(by: isBefore)
        self.descriptions = names.compactMap { descriptions[$0] }
    }

    /// The adapters of deltas in a tree, whether or not they fit its base.
    package static func names(_ tree: Tree) -> [String] {
        tree.trunk.tensors.keys.compactMap { AdapterTensorName.adapter(describedBy: $0) }
    }

    /// What of the adapters' experts is not as their descriptions say; nil when all is.
    package static func misfit(_ descriptions: [String: AdapterDescription], _ tree: Tree)
        -> String?
    {
        for (number, layer) in tree.layers.sorted(by: { $0.key < $1.key }) {
            for name in layer.pools.keys.sorted(by: isBefore)
            where name != ExpertPool.base
                && AdapterTensorName.ownsPool(
                    name, in: tree.architecture, described: descriptions.keys)
            {
                let own = descriptions[name].map {
                    ($0.experts?.layers ?? []) + $0.rows + $0.replacedLayers
                }
                guard own?.contains(Int(number)) == true else {
                    return "layer \(number) has experts of adapter '\(name)', which "
                        + "\(AdapterTensorName.description(of: name)) does not describe"
                }
            }
        }
        for (name, description) in descriptions.sorted(by: { isBefore($0.key, $1.key) }) {
            for layer in description.rows {
                let pools = UInt32(exactly: layer).flatMap { tree.layers[$0]?.pools }
                guard let own = pools?[name], own.routerKind == .hash,
                    own.count == pools?[ExpertPool.base]?.count
                else {
                    return
                        "\(AdapterTensorName.description(of: name)) describes hashed rows in front of layer "
                        + "\(layer), as many as the base has there; the layer has none"
                }
            }
            for layer in description.replacedLayers {
                let pools = UInt32(exactly: layer).flatMap { tree.layers[$0]?.pools }
                guard let own = pools?[name], let base = pools?[ExpertPool.base],
                    own.count >= base.count,
                    own.count - base.count == UInt64(description.addedExperts),
                    own.parts == base.parts, own.kind == base.kind
                else {
                    return
                        "\(AdapterTensorName.description(of: name)) describes other experts of layer \(layer); "
                        + "the layer has none of the adapter's that are of the size of its own, and "
                        + "\(description.addedExperts) more"
                }
            }
            guard let experts = description.experts else { continue }
            for layer in experts.layers {
                let stored = UInt32(exactly: layer).flatMap { tree.layers[$0]?.pools[name] }
                guard let stored, stored.count == UInt64(experts.count),
                    experts.fits(stored.parts)
                else {
                    return
                        "\(AdapterTensorName.description(of: name)) describes \(experts.count) experts of layer "
                        + "\(layer); the layer has \(stored?.count ?? 0)"
                        + (stored.map { " of \($0.parts)" } ?? "")
                }
            }
        }
        return nil
    }

    /// The names of those that are other models in the base's place.
    package var alternatives: [String] {
        zip(names, descriptions).filter { $0.1.kind == .alternative }.map(\.0)
    }

    /// Whether the models' own predictions pick among alternatives, and not a gate over these classes: counts of some
    /// alone cannot tell whether it is one of the others.
    ///
    /// - Parameter classes: Of the gate; nil for none.
    package func picksByLikelihood(_ classes: [String]?) -> Bool {
        !alternatives.isEmpty
            && !Set(classes ?? []).isSuperset(of: alternatives + [ExpertPool.base])
    }

    /// The adapters' models, to be made when first needed.
    package func entries(_ base: ModelDescription, _ weights: SnapshotWeights) -> [AdaptedModel
        .Entry]
    {
        zip(names, descriptions).map {
            AdaptedModel.Entry($0, $1, base: base, source: weights)
        }
    }
}
