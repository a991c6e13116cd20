internal import Architectures
internal import Elements
internal import Models
internal import Objects
package import Snapshots

/// What the routes of a text are computed by: all of a model with linear routers, but only the first experts of
/// each layer, and their router rows.
///
/// So a model has the identities of those that it grew out of by experts that were added behind the others, whose
/// rows leave old routes as they are: what was recorded before stays of use. Alternatives are other models, and count nothing.
enum RouteIdentity {
    private static let configName = "config.json"
    private static let magic: [UInt8] = Array("CRID".utf8)

    /// The id of a file object of the canonical description (docs/format.md, "Evidence").
    ///
    /// - Parameters:
    ///   - snapshot: Of a model whose experts config.json counts.
    ///   - experts: How many of each layer; nil for all.
    /// - Returns: The id, and how many it is of; nil for more than the layers have.
    /// - Throws: `unsupported` for a model of another kind.
    static func id(
        of snapshot: MappedSnapshot, experts: Int? = nil
    ) throws -> (id: ObjectID, experts: Int)? {
        let tree = try snapshot.treeWithoutAlternatives()
        let pools = try tree.countedPools()
        let counts = Set(pools.values.map { Int(clamping: $0.count) })
        guard let count = counts.first, counts.count == 1, count > 0 else {
            throw CambiumError(.unsupported, "the layers have different numbers of experts")
        }
        let kept = experts ?? count
        guard (1...count).contains(kept) else { return nil }
        var encoder = ByteEncoder()
        encoder.append(raw: magic)
        encoder.append(UInt32(1))
        encoder.append(UInt32(kept))
        encoder.append(try config(snapshot, kept - count))
        encoder.append(UInt32(tree.trunk.tensors.count))
        for (name, tensor) in tree.trunk.tensors.sorted(by: { isBefore($0.key, $1.key) }) {
            encoder.append(name)
            encoder.append(tensor.id)
        }
        encoder.append(UInt32(pools.count))
        for (layer, pool) in pools.sorted(by: { $0.key < $1.key }) {
            try append(layer, pool, kept, snapshot, to: &encoder)
        }
        return (try ObjectID(ofFile: encoder.bytes), kept)
    }

    /// The id of config.json with another count of experts.
    private static func config(_ snapshot: MappedSnapshot, _ difference: Int) throws -> ObjectID {
        guard let id = snapshot.tree.files[configName] else {
            throw CambiumError(.unsupported, "the model has no \(configName)")
        }
        guard difference != 0 else { return id }
        let bytes = try snapshot.data(of: id)
        var text = JSONEdit(bytes, source: configName, code: .badConfig)
        for key in Architecture.allCountKeys { _ = try text.add(difference, to: [key]) }
        return try ObjectID(ofFile: text.bytes)
    }

    private static func append(
        _ layer: Int, _ pool: ExpertPool, _ kept: Int, _ snapshot: MappedSnapshot,
        to encoder: inout ByteEncoder
    ) throws {
        encoder.append(UInt32(layer))
        encoder.append(UInt32(pool.router.count))
        for (name, tensor) in pool.router.sorted(by: { isBefore($0.key, $1.key) }) {
            let bytes = try snapshot.data(of: tensor.id)
            encoder.append(name)
            encoder.append(
                try ObjectID(ofFile: Array(bytes[..<(bytes.count / Int(pool.count) * kept)])))
        }
        guard let experts = snapshot.experts(layer: UInt32(layer), pool: ExpertPool.base) else {
            return
        }
        for ordinal in 0..<kept {
            encoder.append(try experts.id(ordinal))
        }
    }
}

extension Tree {
    /// The layers that have experts, with their only pool.
    ///
    /// - Throws: `unsupported` for a model whose experts are not counted by config.json.
    package func countedPools() throws -> [Int: ExpertPool] {
        let isCounted = Architecture.named(architecture)?.countKeys.isEmpty != true
        guard isCounted, !layers.isEmpty else {
            throw CambiumError(
                .unsupported,
                "a model of type '\(architecture)' "
                    + (layers.isEmpty
                        ? "has no experts that Cambium can tell apart"
                        : "gets no experts one by one; `cambium train --new-experts` gives it an adapter with experts")
            )
        }
        var pools: [Int: ExpertPool] = [:]
        for (layer, value) in layers {
            guard value.pools.count == 1, let pool = value.pools[ExpertPool.base] else {
                throw CambiumError(
                    .unsupported, "layer \(layer) has \(value.pools.count) pools, not one")
            }
            pools[Int(layer)] = pool
        }
        return pools
    }
}
