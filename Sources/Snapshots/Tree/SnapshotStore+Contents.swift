internal import Elements
package import Objects

extension SnapshotStore {
    /// One expert of a revision's model, checked against its name.
    ///
    /// - Parameter path: `LAYER/ORDINAL` for the base pool, or `LAYER/POOL/ORDINAL`.
    /// - Throws: `.usage` for a malformed path, `.notFound`.
    package func expert(
        at revision: String, _ path: String
    ) throws -> (layer: UInt32, pool: String, ordinal: Int, object: StoredObject) {
        guard let (layer, pool, ordinal) = ModelEntity.expert(at: path) else {
            throw CambiumError(
                .usage,
                "'\(path)' names no expert: write LAYER/ORDINAL or LAYER/POOL/ORDINAL; `cambium "
                    + "cat` writes tensors and files by their names")
        }
        let experts = try experts(at: revision, layer, pool)
        guard ordinal >= 0, ordinal < experts.count else {
            throw CambiumError(
                .notFound,
                "there is no expert \(ordinal) in \(layer)/\(pool), which has \(experts.count)")
        }
        try experts.checkPresent(ordinal)
        return (layer, pool, ordinal, try experts.checked(ordinal))
    }

    /// The ids of a pool's experts, by ordinal; ``ObjectID/zero`` for one that was removed.
    ///
    /// - Parameter path: `LAYER` for the base pool, or `LAYER/POOL`.
    /// - Throws: `.usage` for a malformed path, `.notFound`.
    package func experts(at revision: String, in path: String) throws -> [ObjectID] {
        let parts = path.split(separator: "/").map(String.init)
        guard parts.count == 1 || parts.count == 2, let layer = UInt32(parts[0]) else {
            throw CambiumError(.usage, "'\(path)' names no pool: write LAYER or LAYER/POOL")
        }
        let experts = try experts(
            at: revision, layer, parts.count == 2 ? parts[1] : ExpertPool.base)
        return try (0..<experts.count).map { try experts.id($0) }
    }

    private func experts(
        at revision: String, _ layer: UInt32, _ pool: String
    ) throws -> MappedExperts {
        let snapshot = try map(at: revision)
        if let experts = snapshot.experts(layer: layer, pool: pool) { return experts }
        let known = snapshot.tree.layers.sorted { $0.key < $1.key }.flatMap { number, layer in
            layer.pools.keys.sorted(by: isBefore).map { "\(number)/\($0)" }
        }
        throw CambiumError(
            .notFound,
            "there is no pool \(layer)/\(pool) in \(revision); it has "
                + (known.isEmpty ? "no experts" : known.joined(separator: ", ")))
    }

    /// The bytes of a file, or of a tensor outside the experts, by its name in the checkpoint; copied.
    ///
    /// - Throws: `.notFound`.
    package func data(at revision: String, named name: String) throws -> [UInt8] {
        let snapshot = try map(at: revision)
        guard let id = snapshot.tree.files[name] ?? snapshot.tree.tensor(named: name)?.id else {
            throw CambiumError(
                .notFound,
                "there is no file, trunk tensor or router tensor '\(name)' in \(revision)")
        }
        return try snapshot.data(of: id)
    }
}

extension ModelEntity {
    /// The expert that `LAYER/ORDINAL`, of the base pool, or `LAYER/POOL/ORDINAL` names; nil for other texts.
    static func expert(at path: String) -> (layer: UInt32, pool: String, ordinal: Int)? {
        let parts = path.split(separator: "/").map(String.init)
        guard parts.count == 2 || parts.count == 3, let layer = UInt32(parts[0]),
            let ordinal = parts.last.flatMap({ Int($0) })
        else { return nil }
        return (layer, parts.count == 3 ? parts[1] : ExpertPool.base, ordinal)
    }
}
