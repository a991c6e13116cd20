internal import Architectures
internal import Elements
internal import Evidence
internal import Models
internal import Objects
internal import Routing
internal import Snapshots

/// The sides of a merge as models that all have the merge base's weights, and their own as an adapter each: they merge
/// without a conflict of weights.
///
/// Nothing is copied: an alternative is made of the side's own tensors and arrays of experts.
struct AlternativeSides {
    /// Those that have weights of their own, and the layers with experts of their own.
    private(set) var layers: [String: [Int]] = [:]
    private(set) var trees: [Tree] = []
    /// Records of evidence that are the side's now, by their ids.
    private(set) var records: [ObjectID: [UInt8]] = [:]
    private let base: Tree
    private let inner: any MergeForm
    /// All alternatives, those that sides had before among them.
    private var all: Set<String> = []

    /// - Parameters:
    ///   - names: One per side.
    ///   - form: Settles in what files the merged model is.
    /// - Throws: `incompatible` for sides that are not made as the base is; `usage` for more than one base.
    init(
        _ bases: [Tree], _ sides: [Tree], names: [String], _ form: any MergeForm,
        _ store: SnapshotStore
    ) throws {
        guard bases.count == 1 else {
            throw CambiumError(
                .usage,
                "the sides have \(bases.count) merge bases, so there is no one model that they are alternatives to; "
                    + "merge one into the other first, or take another policy")
        }
        base = bases[0]
        inner = form
        let plain = base.alternative(nil)
        var taken = Set([ExpertPool.base])
        for tree in sides + bases {
            taken.formUnion(StoredAdapters.names(tree))
            for layer in tree.layers.values { taken.formUnion(layer.pools.keys) }
        }
        for tree in sides { all.formUnion(try store.alternatives(of: tree).map(\.name)) }
        let configs = ModelConfigs(store)
        for (side, given) in zip(sides, names) {
            try configs.check(side, as: base, named: given)
        }
        let own = try Self.names(sides, names, over: plain, taken)
        for (side, name) in zip(sides, own) {
            var tree = side
            if let name, let own = try plain.difference(of: side.alternative(nil), named: name) {
                all.insert(name)
                layers[name] = own.pools.keys.map { Int($0) }.sorted()
                try restoreBase(of: &tree)
                tree.trunk.tensors.merge(own.tensors) { $1 }
                for (number, pool) in own.pools { tree.layers[number]?.pools[name] = pool }
                try adopt(&tree, name, store)
            }
            trees.append(tree)
        }
    }

    /// What the alternatives are called; nil for a side that has the base's weights.
    ///
    /// A name that is taken gets a number, in the order of the sides' content.
    private static func names(
        _ sides: [Tree], _ given: [String], over base: Tree, _ taken: Set<String>
    ) throws -> [String?] {
        var order: [(index: Int, weights: ObjectID, files: String)] = []
        for (index, side) in sides.enumerated() {
            let model = side.alternative(nil)
            guard try base.difference(of: model, named: given[index]) != nil else { continue }
            let files = side.files.map { "\($0.key) \($0.value.hex)" }.sorted(by: isBefore)
            order.append((index, try model.weights, files.joined(separator: "\n")))
        }
        order.sort {
            $0.weights == $1.weights ? isBefore($0.files, $1.files) : $0.weights < $1.weights
        }
        var taken = taken
        var names = [String?](repeating: nil, count: sides.count)
        for (index, _, _) in order {
            let stem = adapterName(given[index])
            var (name, number) = (stem, 1)
            while taken.contains(name) {
                number += 1
                name = "\(stem)-\(number)"
            }
            taken.insert(name)
            names[index] = name
        }
        return names
    }

    /// A side's name as adapters' names are: visible ASCII characters without `/`, of which there is room for a number.
    private static func adapterName(_ side: String) -> String {
        let plain = side.utf8.map { (0x21...0x7e).contains($0) && $0 != 0x2f ? $0 : 0x2d }
        return String(decoding: plain.prefix(90), as: UTF8.self)
    }

    /// Gives a side the base's weights, what they are run by, and the form that they are written in.
    private func restoreBase(of tree: inout Tree) throws {
        for (name, entry) in base.trunk.tensors
        where !name.hasPrefix(AdapterTensorName.prefix) { tree.trunk.tensors[name] = entry }
        for (number, layer) in base.layers {
            tree.layers[number]?.pools[ExpertPool.base] = layer.pools[ExpertPool.base]
        }
        tree.layout = base.layout
        for name in inner.files.union(BaseDigests.files) { tree.files[name] = base.files[name] }
    }

    /// Makes what a side counted of its texts the alternative's.
    private mutating func adopt(
        _ tree: inout Tree, _ name: String, _ store: SnapshotStore
    ) throws {
        for id in EvidenceName.records(tree) where base.files[EvidenceName.name(id)] == nil {
            guard
                let record = try Self.counts(id, of: ExpertPool.base, as: name, store)
            else { continue }
            tree.files[EvidenceName.name(id)] = nil
            tree.files[EvidenceName.name(record.id)] = record.id
            records[record.id] = record.bytes
        }
    }

    /// Settles the form of what the sides' trees are merged to.
    var form: any MergeForm {
        AlternativesForm(form: inner, alternatives: self, names: all.sorted(by: isBefore))
    }

    /// A record of counts as another adapter's; nil for what is none of that class.
    static func counts(
        _ id: ObjectID, of adapter: String, as other: String, _ store: SnapshotStore
    ) throws -> (id: ObjectID, bytes: [UInt8])? {
        let bytes = try store.data(of: id).1
        guard
            case .counts(let counts) = try counted(
                .corrupt, { try EvidenceRecord(decoding: bytes) }),
            counts.adapter == adapter
        else { return nil }
        let renamed = try CountContribution(
            adapter: other, label: counts.label, data: counts.data, byteCount: counts.byteCount,
            counts: counts.counts
        ).encoded
        return (try ObjectID(ofFile: renamed), renamed)
    }
}

extension SnapshotStore {
    /// The alternatives in a stored tree, by ascending name, the layers with experts of their own, and how many more those
    /// have than the base's.
    func alternatives(of tree: Tree) throws -> [(name: String, layers: [Int], added: Int)] {
        try StoredAdapters.names(tree).sorted(by: isBefore).compactMap { name in
            guard let entry = tree.trunk.tensors[AdapterTensorName.description(of: name)] else {
                return nil
            }
            let description = try AdapterDescription(data(of: entry.id).1, of: name)
            return description.kind == .alternative
                ? (name, description.replacedLayers, description.addedExperts) : nil
        }
    }
}

/// Settles the form of a merged model after the descriptions of its alternatives and their evidence are in it.
private struct AlternativesForm: MergeForm {
    let form: any MergeForm
    let alternatives: AlternativeSides
    /// Of all in the merged tree.
    let names: [String]

    var files: Set<String> { form.files }

    func settle(
        _ trees: MergeTrees, _ draft: inout CommitDraft
    ) throws -> [String: String] {
        // No checkpoint holds alternatives, so the form is that of the base alone.
        var whole = draft.tree
        draft.tree = whole.without(names)
        let notes = try form.settle(trees, &draft)
        whole.layout = draft.tree.layout
        for name in form.files { whole.files[name] = draft.tree.files[name] }
        draft.tree = whole
        let digest = try BaseDigests(draft.tree).whole
        for (name, layers) in alternatives.layers.sorted(by: { isBefore($0.key, $1.key) }) {
            let text = AdapterDescription(replacing: layers, base: digest).encoded
            let tensor = AdapterTensorName.description(of: name)
            draft.tree.trunk.tensors[tensor] = try draft.putTensor(
                TensorShape(.u8, [text.count]), text.raw)
        }
        for (id, bytes) in alternatives.records.sorted(by: { $0.key < $1.key })
        where draft.tree.files[EvidenceName.name(id)] == id { _ = try draft.put(.file, bytes) }
        return notes
    }
}
