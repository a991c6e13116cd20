internal import Models
internal import Objects
internal import Snapshots
internal import Tensors

/// The experts of a pool that are nearest to one of them.
public struct NearestExperts: Sendable, Encodable {
    /// One of them.
    public struct Expert: Sendable, Encodable {
        /// Its number in the pool.
        public let ordinal: Int
        /// The object's id.
        public let id: String
        /// Cosine between the weights of both, from -1 to 1.
        public let cosine: Double
        /// L2 norm of the difference as a part of that of the expert asked about; nil when that is not finite.
        public let relativeL2: Double?
    }

    /// Experts that the pool has beside the one asked about.
    public let others: Int
    /// Those of them that it was compared with.
    public let compared: Int
    /// The nearest first; without those that are zero or not finite.
    public let experts: [Expert]
}

extension Store {
    /// The experts of the same pool whose weights are nearest to an expert's: those with the greatest cosine.
    ///
    /// Weights are compared element by element: two networks that differ in the order of their hidden units alone are
    /// far from each other.
    ///
    /// - Parameters:
    ///   - revision: The model.
    ///   - path: `LAYER/ORDINAL` for the base pool, or `LAYER/POOL/ORDINAL`.
    ///   - limit: Experts that are told, at most.
    ///   - mostBytes: Bytes of others that are read, at most: of experts that are spread evenly over the pool, and
    ///     nothing from a remote. Nil for all of them.
    ///   - progress: Told how many were compared.
    /// - Throws: `usage` for a malformed path, `not-found`, `unsupported` for experts whose elements are no floats.
    /// - Complexity: Reads the pool's experts once, in place.
    public func nearest(
        to path: String, in revision: String, limit: Int = 8, mostBytes: Int? = nil,
        progress: ProgressReporter = { _ in }
    ) throws -> NearestExperts {
        let commit = try id(revision)
        let (layer, pool, ordinal, _) = try snapshots.expert(at: commit.hex, path)
        let found = try ExpertDistances(
            to: ordinal, layer: layer, pool: pool, of: commit, in: snapshots, limit: max(0, limit),
            mostBytes: mostBytes.map { max(0, $0) }, progress: progress)
        return NearestExperts(
            others: found.others, compared: found.compared,
            experts: found.nearest.compactMap { near in
                near.norms.cosine.map {
                    NearestExperts.Expert(
                        ordinal: near.ordinal, id: near.id.hex, cosine: $0,
                        relativeL2: near.norms.relativeChange)
                }
            })
    }
}
