internal import Elements
internal import Models
internal import Objects
internal import Snapshots

/// The cohorts of deltas in a snapshot: the trunk's tensors `cohorts.NAME.…`.
struct StoredCohorts {
    static let prefix = "cohorts."

    /// By ascending name.
    let names: [String]
    /// What each is.
    let descriptions: [CohortDescription]
    /// The digest of the snapshot's base.
    let base: String

    /// - Throws: `corrupt` for a description that is not one; `unsupported` for a cohort of another base:
    ///   its deltas would change weights that they were not trained with.
    init(_ snapshot: MappedSnapshot) throws(StoreError) {
        let tree = snapshot.tree
        base = try Self.baseDigest(tree)
        var descriptions: [String: CohortDescription] = [:]
        for (tensor, entry) in tree.trunk.tensors {
            guard let name = CohortDescription.cohort(describedBy: tensor) else { continue }
            guard let count = entry.shape.byteCount, count <= CohortDescription.largest else {
                throw StoreError(
                    .corrupt,
                    "\(tensor) is \(entry.shape): more than the description of a cohort can be")
            }
            let bytes = try carrying { () throws(SnapshotError) in
                try snapshot.object(entry.id).payload.copy()
            }
            let description = try running { () throws(ModelError) in
                try CohortDescription(bytes, of: name)
            }
            guard description.base.isEmpty || description.base == base else {
                throw StoreError(
                    .unsupported,
                    "cohort '\(name)' was trained on the base \(description.base.prefix(12)); the base of "
                        + "\(snapshot.id.short) is \(base.prefix(12)). Revert what changed the base, or "
                        + "train the cohort again")
            }
            descriptions[name] = description
        }
        for (number, layer) in tree.layers {
            for name in layer.cohorts.keys where name != Cohort.base {
                guard descriptions[name]?.experts?.layers.contains(Int(number)) == true else {
                    throw StoreError(
                        .unsupported,
                        "layer \(number) has experts of '\(name)', which no tensor "
                            + "\(CohortDescription.tensorName(name)) describes")
                }
            }
        }
        names = descriptions.keys.sorted()
        self.descriptions = names.compactMap { descriptions[$0] }
    }

    /// The cohorts of deltas in a tree, whether or not they fit its base.
    static func names(_ tree: Tree) -> [String] {
        tree.trunk.tensors.keys.compactMap { CohortDescription.cohort(describedBy: $0) }
    }

    /// Names the weights that deltas are added to: the trunk's tensors, without cohorts, and their ids.
    static func baseDigest(_ tree: Tree) throws(StoreError) -> String {
        var text = ""
        for (name, entry) in tree.trunk.tensors.sorted(by: { $0.key < $1.key })
        where !name.hasPrefix(prefix) { text += "\(name) \(entry.id.hex)\n" }
        return try Store.fileID(Array(text.utf8)).hex
    }

    /// The cohorts' models, to be made when first needed.
    func entries(_ config: PeerConfig, _ weights: SnapshotWeights) -> [CohortModel.Entry] {
        zip(names, descriptions).map {
            CohortModel.Entry($0, $1, config: config, source: weights)
        }
    }
}

extension Store {
    /// The cohorts of deltas in a revision's model, by ascending name.
    ///
    /// - Throws: `corrupt` or `unsupported` for a cohort that does not fit the model.
    public func cohorts(_ revision: String) throws(StoreError) -> [String] {
        try StoredCohorts(map(revision)).names
    }
}
