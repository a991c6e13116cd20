package import Architectures
internal import Elements
package import Objects
package import Snapshots

/// What the states in front of a layer's experts are computed by, and nothing else: the sizes, the dense
/// weights up to the layer, and of the expert layers below the router and the experts.
///
/// Two snapshots of one trunk id give every text the same states in front of the layer, bit for bit; so
/// what was counted over the one may be added to what was counted over the other. The layer's own experts
/// and router, the layers above and the head are left out: training them changes no state below.
package enum TrunkIdentity {
    private static let magic: [UInt8] = Array("CTRK".utf8)

    /// The id of a file object of the canonical description (docs/format.md, "Evidence").
    ///
    /// - Parameter layer: One with experts.
    package static func id(
        of tree: Tree, _ config: PeerConfig, layer: Int
    ) throws -> ObjectID {
        var encoder = ByteEncoder()
        encoder.append(raw: magic)
        encoder.append(UInt32(1))
        for size in [
            layer, config.hiddenSize, config.headCount, config.contextLength,
            config.feedForwardSize,
        ] {
            encoder.append(UInt32(size))
        }
        encoder.append(config.normEpsilon.bitPattern)
        encoder.append(config.ropeTheta.bitPattern)
        let dense = tree.trunk.tensors.filter { isBelow($0.key, layer) }
        append(dense, to: &encoder)
        let below = config.expertLayers.filter { $0 < layer }
        encoder.append(UInt32(below.count))
        for number in below {
            encoder.append(UInt32(number))
            // The names of its tensors tell a solved router from a trained one.
            if let solved = config.solved, solved.layers.contains(number) {
                encoder.append(UInt32(solved.heads))
            }
            if let peer = config.peer {
                for size in [peer.subKeys, peer.heads, peer.topK, peer.keySize] {
                    encoder.append(UInt32(size))
                }
            }
            if let tree = config.tree {
                for size in [tree.beam, tree.topK, tree.branching.count] + tree.branching {
                    encoder.append(UInt32(size))
                }
            }
            if let linear = config.linear { encoder.append(UInt32(linear.topK)) }
            guard let pool = tree.layers[UInt32(number)]?.pools[ExpertPool.base] else { continue }
            append(pool.router, to: &encoder)
            encoder.append(pool.experts)
        }
        if let hash = config.hash {
            let numbers = hash.layers.filter { $0 <= layer }
            for size in [numbers.count, hash.tableSize, hash.orders.count] + hash.orders {
                encoder.append(UInt32(size))
            }
            for number in numbers {
                guard let pool = tree.layers[UInt32(number)]?.pools[ExpertPool.base] else {
                    continue
                }
                encoder.append(UInt32(number))
                encoder.append(pool.experts)
            }
        }
        return try ObjectID(ofFile: encoder.bytes)
    }

    /// Whether a dense tensor is used in front of the layer's experts.
    private static func isBelow(_ name: String, _ layer: Int) -> Bool {
        if name == "model.embed_tokens.weight" { return true }
        guard name.hasPrefix("model.layers.") else { return false }
        let number = name.dropFirst("model.layers.".count).prefix { $0 != "." }
        return Int(number).map { $0 <= layer } ?? false
    }

    private static func append(
        _ tensors: [String: StoredTensor], to encoder: inout ByteEncoder
    ) {
        encoder.append(UInt32(tensors.count))
        let byName = tensors.sorted { isBefore($0.key, $1.key) }
        for (name, tensor) in byName {
            encoder.append(name)
            encoder.append(tensor.id)
        }
    }
}
