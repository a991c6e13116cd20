package import Architectures
internal import Elements
internal import Objects
package import Snapshots

/// The cohorts of deltas in a snapshot: the trunk's tensors `cohorts.NAME.…`.
package struct StoredCohorts {
    /// By ascending name.
    package let names: [String]
    /// What each is.
    package let descriptions: [CohortDescription]
    /// The digest of the snapshot's base, which deltas are added to.
    package let base: String
    /// The digest of the base with its experts, which low-rank cohorts may run with.
    package let baseWithExperts: String

    /// - Throws: `corrupt` for a description that is not one; `unsupported` for a cohort of another base:
    ///   its deltas would change weights that they were not trained with.
    package init(_ snapshot: MappedSnapshot) throws {
        let tree = snapshot.tree
        base = try Self.baseDigest(tree)
        baseWithExperts = try Self.baseDigest(tree, .routers, .experts)
        var descriptions: [String: CohortDescription] = [:]
        for (tensor, entry) in tree.trunk.tensors {
            guard let name = CohortTensorName.cohort(describedBy: tensor) else { continue }
            guard let count = entry.shape.byteCount, count <= CohortDescription.largest else {
                throw CambiumError(
                    .corrupt,
                    "\(tensor) is \(entry.shape): more than the description of a cohort can be")
            }
            let bytes = try snapshot.data(of: entry.id)
            let description = try CohortDescription(bytes, of: name)
            // Earlier versions named the base without its experts by all cohorts.
            let own = description.usesExperts ? [baseWithExperts, base] : [base]
            guard description.base.isEmpty || own.contains(description.base) else {
                throw CambiumError(
                    .unsupported,
                    "cohort '\(name)' was trained on the base \(description.base.prefix(12)); the base of "
                        + "\(snapshot.id.short) is \(own[0].prefix(12)). Revert what changed the base, or "
                        + "train the cohort again")
            }
            descriptions[name] = description
        }
        if let misfit = Self.misfit(descriptions, tree) {
            throw CambiumError(.unsupported, "\(snapshot.id.short) cannot run: \(misfit)")
        }
        names = descriptions.keys.sorted(by: isBefore)
        self.descriptions = names.compactMap { descriptions[$0] }
    }

    /// The cohorts of deltas in a tree, whether or not they fit its base.
    package static func names(_ tree: Tree) -> [String] {
        tree.trunk.tensors.keys.compactMap { CohortTensorName.cohort(describedBy: $0) }
    }

    /// What of the cohorts' experts is not as their descriptions say; nil when all is.
    package static func misfit(_ descriptions: [String: CohortDescription], _ tree: Tree) -> String?
    {
        for (number, layer) in tree.layers.sorted(by: { $0.key < $1.key }) {
            for name in layer.cohorts.keys.sorted(by: isBefore)
            where name != Cohort.base {
                guard descriptions[name]?.experts?.layers.contains(Int(number)) == true else {
                    return "layer \(number) has experts of cohort '\(name)', which "
                        + "\(CohortTensorName.description(of: name)) does not describe"
                }
            }
        }
        for (name, description) in descriptions.sorted(by: { isBefore($0.key, $1.key) }) {
            guard let experts = description.experts else { continue }
            for layer in experts.layers {
                let stored = UInt32(exactly: layer).flatMap { tree.layers[$0]?.cohorts[name] }
                guard let stored, stored.count == UInt64(experts.count),
                    experts.fits(stored.parts)
                else {
                    return
                        "\(CohortTensorName.description(of: name)) describes \(experts.count) experts of layer "
                        + "\(layer); the layer has \(stored?.count ?? 0)"
                        + (stored.map { " of \($0.parts)" } ?? "")
                }
            }
        }
        return nil
    }

    /// Parts of a base besides its trunk.
    package enum BasePart { case routers, experts }

    /// Names the weights that deltas are added to: the trunk's tensors, without cohorts, and their ids, with
    /// the routers and experts of the base where they count as well.
    package static func baseDigest(_ tree: Tree, _ parts: BasePart...) throws -> String {
        var text = ""
        for (name, entry) in tree.trunk.tensors.sorted(by: { isBefore($0.key, $1.key) })
        where !name.hasPrefix(CohortTensorName.prefix) { text += "\(name) \(entry.id.hex)\n" }
        for (number, layer) in tree.layers.sorted(by: { $0.key < $1.key }) {
            guard let cohort = layer.cohorts[Cohort.base] else { continue }
            if parts.contains(.experts) { text += "\(number) \(cohort.experts.hex)\n" }
            for (name, entry) in cohort.router.sorted(by: { isBefore($0.key, $1.key) })
            where parts.contains(.routers) {
                text += "\(number) \(name) \(entry.id.hex)\n"
            }
        }
        return try ObjectID(ofFile: Array(text.utf8)).hex
    }

    /// The cohorts' models, to be made when first needed.
    package func entries(_ base: ModelDescription, _ weights: SnapshotWeights) -> [CohortModel
        .Entry]
    {
        zip(names, descriptions).map {
            CohortModel.Entry($0, $1, base: base, source: weights)
        }
    }
}
