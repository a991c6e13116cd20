internal import Architectures
internal import Checkpoints
internal import Elements
internal import Objects
package import Snapshots

/// What in a tree says how many experts a layer has, besides the experts: routers and config.json.
package struct ExpertCountEdit: ~Copyable {
    package var draft: CommitDraft
    private let snapshot: MappedSnapshot

    /// - Parameters:
    ///   - draft: Of the snapshot's tree.
    package init(_ draft: consuming CommitDraft, _ snapshot: MappedSnapshot) {
        self.draft = draft
        self.snapshot = snapshot
    }

    /// Adds an expert behind the last of a layer.
    ///
    /// - Parameters:
    ///   - alternative: What gets the layer's experts and one more, in the place of the layer's own pool; nil for that
    ///     pool itself.
    ///   - row: Gives what each tensor of the router gets, by its name.
    package mutating func add(
        _ expert: [UInt8], to layer: Int, of alternative: String? = nil, row: (String) -> [UInt8]
    ) throws {
        guard var pool = pool(layer) else { return }
        let number = Int(pool.count)
        let header = try ObjectHeader(pool.kind, pool.parts)
        let id = try draft.put(header, expert.raw)
        let routers = try routers(pool) { name, bytes, _ in bytes + row(name) }
        let edited = try draft.putExperts(changing: pool.experts, [number: id])
        pool.experts = edited.root
        pool.count = UInt64(edited.count)
        let prefix = alternative.map { AdapterTensorName.prefix(of: $0) } ?? ""
        pool.router = Dictionary(uniqueKeysWithValues: routers.map { (prefix + $0, $1) })
        draft.tree.layers[UInt32(layer)]?.pools[alternative ?? ExpertPool.base] = pool
    }

    /// Takes an expert out of a layer; those behind it move up.
    package mutating func remove(_ number: Int, from layer: Int) throws {
        guard var pool = pool(layer),
            let experts = snapshot.experts(layer: UInt32(layer), pool: ExpertPool.base)
        else { return }
        var ids: [ObjectID] = []
        for ordinal in 0..<experts.count where ordinal != number {
            ids.append(try experts.id(ordinal))
        }
        pool.router = try routers(pool) { _, bytes, size in
            Array(bytes[..<(number * size)] + bytes[((number + 1) * size)...])
        }
        pool.experts = draft.putExperts(ids)
        pool.count = UInt64(ids.count)
        draft.tree.layers[UInt32(layer)]?.pools[ExpertPool.base] = pool
    }

    /// Changes the files, and gives the draft away.
    package consuming func finish(by difference: Int) throws -> CommitDraft {
        let name = Checkpoint.configName
        guard let id = draft.tree.files[name] else {
            throw CambiumError(.unsupported, "the model has no \(name)")
        }
        let edited = try Architecture.config(snapshot.data(of: id), adding: difference)
        draft.tree.files[name] = try draft.put(.file, edited)
        return draft
    }

    private func pool(_ layer: Int) -> ExpertPool? {
        draft.tree.layers[UInt32(layer)]?.pools[ExpertPool.base]
    }

    /// Changes each tensor of a router.
    private mutating func routers(
        _ pool: ExpertPool,
        _ change: (_ name: String, _ bytes: [UInt8], _ rowBytes: Int) -> [UInt8]
    ) throws -> [String: StoredTensor] {
        var routers: [String: StoredTensor] = [:]
        for (name, tensor) in pool.router.sorted(by: { isBefore($0.key, $1.key) }) {
            let bytes = try snapshot.data(of: tensor.id)
            let size = bytes.count / max(Int(pool.count), 1)
            let changed = change(name, bytes, size)
            // The dimension that counts experts: the first, or the second of one row.
            let (before, count) = (tensor.shape.dimensions, changed.count / max(size, 1))
            let isRow = before == [1, Int(pool.count)]
            let shape = TensorShape(
                tensor.shape.type, isRow ? [1, count] : [count] + before.dropFirst())
            routers[name] = try draft.putTensor(shape, changed.raw)
        }
        return routers
    }
}
