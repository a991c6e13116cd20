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
    /// - Parameter row: Gives what each tensor of the router gets, by its name.
    package mutating func add(_ expert: [UInt8], to layer: Int, row: (String) -> [UInt8]) throws {
        guard let pool = pool(layer) else { return }
        let number = Int(pool.count)
        let header = try ObjectHeader(pool.kind, pool.parts)
        let id = try draft.put(header, expert.raw)
        let edited = try draft.putExperts(changing: pool.experts, [number: id])
        set(layer, edited.root, edited.count)
        try router(layer, pool) { name, bytes, _ in bytes + row(name) }
    }

    /// Takes an expert out of a layer; those behind it move up.
    package mutating func remove(_ number: Int, from layer: Int) throws {
        guard let pool = pool(layer),
            let experts = snapshot.experts(layer: UInt32(layer), pool: ExpertPool.base)
        else { return }
        var ids: [ObjectID] = []
        for ordinal in 0..<experts.count where ordinal != number {
            ids.append(try experts.id(ordinal))
        }
        set(layer, draft.putExperts(ids), ids.count)
        try router(layer, pool) { _, bytes, size in
            Array(bytes[..<(number * size)] + bytes[((number + 1) * size)...])
        }
    }

    /// Changes the files, and gives the draft away.
    package consuming func finish(by difference: Int) throws -> CommitDraft {
        var count = 0
        try edit(Checkpoint.configName) { config in
            for key in Architecture.allCountKeys
            where try config.add(difference, to: [key]) { count += 1 }
        }
        guard count > 0 else {
            throw CambiumError(
                .unsupported,
                "config.json says nowhere how many experts there are; the model could not be loaded"
            )
        }
        return draft
    }

    private func pool(_ layer: Int) -> ExpertPool? {
        draft.tree.layers[UInt32(layer)]?.pools[ExpertPool.base]
    }

    private mutating func set(_ layer: Int, _ experts: ObjectID, _ count: Int) {
        draft.tree.layers[UInt32(layer)]?.pools[ExpertPool.base]?.experts = experts
        draft.tree.layers[UInt32(layer)]?.pools[ExpertPool.base]?.count = UInt64(count)
    }

    /// Changes each tensor of a router, whose first dimension counts experts.
    private mutating func router(
        _ layer: Int, _ pool: ExpertPool,
        _ change: (_ name: String, _ bytes: [UInt8], _ rowBytes: Int) -> [UInt8]
    ) throws {
        for (name, tensor) in pool.router.sorted(by: { isBefore($0.key, $1.key) }) {
            let bytes = try snapshot.data(of: tensor.id)
            let size = bytes.count / max(Int(pool.count), 1)
            let changed = change(name, bytes, size)
            let shape = TensorShape(
                tensor.shape.type,
                [changed.count / max(size, 1)] + tensor.shape.dimensions.dropFirst())
            let stored = try draft.putTensor(shape, changed.raw)
            draft.tree.layers[UInt32(layer)]?.pools[ExpertPool.base]?.router[name] = stored
        }
    }

    private mutating func edit(_ name: String, _ body: (inout JSONEdit) throws -> Void) throws {
        guard let id = draft.tree.files[name] else {
            throw CambiumError(.unsupported, "the model has no \(name)")
        }
        let bytes = try snapshot.data(of: id)
        var text = JSONEdit(bytes, source: name, code: .badConfig)
        try body(&text)
        let edited = text.bytes
        draft.tree.files[name] = try draft.put(.file, edited)
    }
}
