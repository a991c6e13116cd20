internal import Evidence
internal import Models
internal import Objects
internal import Routing
internal import Snapshots

/// How often the experts of a model were picked, as far as that was counted.
public struct ExpertsFigure: Sendable, Encodable {
    /// Where the counts come from.
    public enum Source: String, Sendable, Encodable {
        /// The usage profile of the commit, which `cambium profile` made: each time that a token picked an expert.
        case profile
        /// Evidence of rounds that edited experts: windows of text in which an expert was picked.
        case activations
    }

    /// One pool.
    public struct Pool: Sendable, Encodable {
        /// The layer's number.
        public let layer: Int
        /// The pool's name.
        public let pool: String
        /// By the expert's number, how often it was picked.
        public let counts: [Int]
    }

    /// The commit; nil in a store without any.
    public let commit: String?
    /// Nil when nothing was counted.
    public let source: Source?
    /// By layer.
    public let pools: [Pool]
}

extension Figures {
    /// How often the experts of the first revision's model were picked.
    ///
    /// The usage profile of the commit is taken; without one, what rounds recorded as evidence of activations.
    ///
    /// - Throws: `not-found`; `corrupt` for a record that is not one.
    public func experts() throws -> ExpertsFigure {
        guard let subject else { return ExpertsFigure(commit: nil, source: nil, pools: []) }
        let snapshot = try store.map(subject)
        var picked: [Int: [Int: Int]] = [:]
        var source: ExpertsFigure.Source?
        if let bytes = store.snapshots.profile(of: snapshot.id),
            let profile = try? ExpertProfile(decoding: bytes)
        {
            source = .profile
            for (layer, entries) in profile.layers {
                for entry in entries {
                    picked[layer, default: [:]][Int(entry.ordinal)] = Int(entry.selection)
                }
            }
        } else {
            for record in try snapshot.evidence().activations {
                source = .activations
                for layer in record.layers {
                    for entry in layer.entries {
                        picked[Int(layer.layer), default: [:]][Int(entry.expert), default: 0] +=
                            Int(clamping: entry.windows)
                    }
                }
            }
        }
        let pools = picked.sorted { $0.key < $1.key }.compactMap { number, table in
            let pool = snapshot.tree.layers[UInt32(clamping: number)]?.pools[ExpertPool.base]
            return pool.map { pool in
                ExpertsFigure.Pool(
                    layer: number, pool: ExpertPool.base,
                    counts: (0..<Int(clamping: pool.count)).map { table[$0] ?? 0 })
            }
        }
        return ExpertsFigure(
            commit: snapshot.id.hex, source: pools.isEmpty ? nil : source, pools: pools)
    }
}
