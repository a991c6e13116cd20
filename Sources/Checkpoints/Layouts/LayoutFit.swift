internal import Architectures
internal import Elements
internal import Objects
package import Snapshots

/// A layout that lists exactly the tensors of a checkpoint, each once.
///
/// It is a function of the layout and the tensors alone. Files keep their tensors and these their order; a
/// list in the order of the format's own writer stays so, and others get new tensors at their end.
package struct LayoutFit {
    /// The key of a commit's metadata that names files whose headers are canonical from this
    /// commit on.
    package static let canonicalKey = "checkpoint.canonical"

    /// The files that a commit's metadata name; names of files hold no line feed (`Checkpoint`).
    package static func files(in metadata: [String: String]) -> [String] {
        metadata[canonicalKey]?.split(separator: "\n").map(String.init) ?? []
    }

    package private(set) var layout: Layout
    /// Files whose header was kept byte for byte and does not fit any more.
    package private(set) var canonical: [String] = []
    private let entries: [String: TensorEntry]
    private let sorted: Set<String>

    /// - Parameter sorted: Names of files whose tensors go into the order of the format's own writer.
    package init(
        _ layout: Layout, _ tensors: CheckpointTensors, sorting sorted: Set<String> = []
    ) throws {
        self.layout = layout
        self.sorted = sorted
        entries = Dictionary(tensors.assemblies.map { ($0.name, $0.entry) }) { first, _ in first }
        if layout.files.count > 1 || layout.files.contains(where: { !$0.tensors.isEmpty }) {
            distribute(tensors)
        }
        try dropSplices()
    }

    /// The file of each tensor; empty for a checkpoint of one file that lists none.
    package var shards: [String: String] {
        var shards: [String: String] = [:]
        let isAlone = layout.files.count == 1
        for file in layout.files {
            let names = isAlone && file.tensors.isEmpty ? Array(entries.keys) : file.tensors
            for name in names { shards[name] = file.name }
        }
        return shards
    }

    /// The tensors of a file in the order of their data, and whether that order is asked for.
    package func tensors(of file: Layout.File) -> (entries: [TensorEntry], isOrdered: Bool) {
        guard file.tensors.isEmpty, layout.files.count == 1 else {
            return (file.tensors.compactMap { entries[$0] }, true)
        }
        return (entries.values.sorted { isBefore($0.name, $1.name) }, false)
    }

    /// Takes what is gone from the lists and adds what none has.
    private mutating func distribute(_ tensors: CheckpointTensors) {
        var home: [String: Int] = [:]
        var wasInOrder: [Bool] = []
        for index in layout.files.indices {
            let names = layout.files[index].tensors.filter {
                entries[$0] != nil && home.updateValue(index, forKey: $0) == nil
            }
            layout.files[index].tensors = names
            wasInOrder.append(Self.isInOrder(names, entries))
        }
        let pools = poolFiles(tensors, home)
        var added: [Int: [String]] = [:]
        for assembly in tensors.assemblies.sorted(by: { isBefore($0.name, $1.name) })
        where home[assembly.name] == nil {
            let name = assembly.name
            var index = layout.files.count - 1
            if name.hasSuffix(PeerNames.scale),
                let scaled = home[String(name.dropLast(PeerNames.scale.count))]
            {
                index = scaled
            } else if case .experts(let pool, _, _) = assembly.source, let file = pools[pool] {
                index = file
            }
            added[index, default: []].append(name)
        }
        for index in layout.files.indices {
            let all = layout.files[index].tensors + added[index, default: []]
            let isSorted = wasInOrder[index] || sorted.contains(layout.files[index].name)
            layout.files[index].tensors = isSorted ? Self.inOrder(all, entries) : all
        }
        let full = layout.files.filter { !$0.tensors.isEmpty }
        layout.files = full.isEmpty ? Array(layout.files.prefix(1)) : full
        if layout.files.count == 1, Self.isInOrder(layout.files[0].tensors, entries) {
            layout.files[0].tensors = []
        }
    }

    /// The file that has the last listed tensor of each pool.
    private func poolFiles(_ tensors: CheckpointTensors, _ home: [String: Int]) -> [Int: Int] {
        var files: [Int: Int] = [:]
        for assembly in tensors.assemblies {
            if case .experts(let pool, _, _) = assembly.source, let file = home[assembly.name] {
                files[pool] = file
            }
        }
        return files
    }

    private mutating func dropSplices() throws {
        for index in layout.files.indices {
            guard let splice = layout.files[index].splice else { continue }
            let (entries, isOrdered) = tensors(of: layout.files[index])
            let metadata = HeaderMetadata(layout.files[index].metadata)
            let fits = try HeaderSplice(splice).fits(entries, metadata, ordered: isOrdered)
            guard !fits else { continue }
            layout.files[index].splice = nil
            canonical.append(layout.files[index].name)
        }
    }

    /// Names in the order in which the format's own writer lays their tensors out.
    static func inOrder(_ names: [String], _ entries: [String: TensorEntry]) -> [String] {
        SafetensorsHeader.inFileOrder(names.compactMap { entries[$0] }).map(\.name)
    }

    private static func isInOrder(_ names: [String], _ entries: [String: TensorEntry]) -> Bool {
        SafetensorsHeader.isInFileOrder(names.compactMap { entries[$0] })
    }
}

extension HeaderMetadata {
    /// The metadata as a layout keeps them; nil for none.
    package init?(_ metadata: [String: String]?) {
        guard let metadata else { return nil }
        self.init(
            entries: metadata.sorted { isBefore($0.key, $1.key) }.map {
                HeaderMetadata.Entry(key: $0.key, value: $0.value)
            })
    }
}

extension Tree {
    /// Whether the tensors of two trees have the same names and shapes, whatever they hold.
    package func hasTensors(of other: Tree) -> Bool {
        func agree(_ left: [String: StoredTensor], _ right: [String: StoredTensor]) -> Bool {
            left.count == right.count
                && left.allSatisfy { right[$0.key]?.shape == $0.value.shape }
        }
        guard agree(trunk.tensors, other.trunk.tensors), layers.count == other.layers.count
        else { return false }
        return layers.allSatisfy { number, layer in
            guard let same = other.layers[number], same.pools.count == layer.pools.count
            else { return false }
            return layer.pools.allSatisfy { name, pool in
                guard let twin = same.pools[name] else { return false }
                return twin.kind == pool.kind && twin.parts == pool.parts
                    && twin.count == pool.count && agree(pool.router, twin.router)
            }
        }
    }
}

extension CommitDraft {
    /// Lets the layout and the index of a checkpoint list exactly the tensors that the tree has.
    ///
    /// - Parameters:
    ///   - before: The tree that the draft started from, whose layout and index it still has.
    ///   - own: What holds the experts now; nil for what did before.
    /// - Returns: Files whose header was kept byte for byte and is canonical from now on.
    package mutating func fitLayout(
        _ before: Tree, _ store: SnapshotStore, holding own: Layout? = nil
    ) throws -> [String] {
        guard !tree.hasTensors(of: before) else { return [] }
        let now = tree
        guard
            let layout = try store.layout(of: before),
            // A model that no checkpoint can hold is told of by the export.
            let old = try? CheckpointTensors(before, layout, absent: store.absentOrdinals),
            let fitted = own ?? (try? layout.fittingRows(of: now)),
            let tensors = try? CheckpointTensors(
                now, fitted, absent: { try absentOrdinals(ofArray: $0) })
        else { return [] }
        let index = try now.files[ShardIndex.fileName].map { id in
            try store.data(of: id).1
        }
        let fit = try LayoutFit(fitted, tensors)
        try put(fit.layout)
        if let index {
            let fitted = try ShardIndex.fitted(
                index, to: fit.shards, sizes: tensors.sizes, before: old.sizes)
            tree.files[ShardIndex.fileName] = try put(.file, fitted)
        }
        return fit.canonical
    }

    package mutating func put(_ layout: Layout) throws {
        tree.layout = try put(.layout, layout.encoded)
    }
}

extension CheckpointTensors {
    /// The bytes of each tensor, by name.
    package var sizes: [String: Int] {
        Dictionary(assemblies.map { ($0.name, $0.shape.byteCount ?? 0) }) { first, _ in first }
    }
}
