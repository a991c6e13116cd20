package import Elements
package import Objects
package import Snapshots
package import Tensors

/// The experts of a pool that are nearest to one of them, by the cosine of their weights, element by element.
package struct ExpertDistances: Sendable {
    /// One that was compared.
    package struct Near: Sendable {
        package let ordinal: Int
        package let id: ObjectID
        /// From the one to it.
        package let norms: DifferenceNorms

        /// What comes first: the greatest cosine; of equal ones what is nearer, then the lower number.
        fileprivate var key: (Double, Double, Int) {
            (-(norms.cosine ?? -2), norms.changeSquared, ordinal)
        }
    }

    /// Experts that the pool has beside the one.
    package let others: Int
    /// Those of them that were compared.
    package let compared: Int
    /// The nearest first; without those of which there is no cosine.
    package let nearest: [Near]

    /// Bytes of experts that are asked from a remote, or decompressed, at once.
    private static let block = 64 << 20

    /// - Parameters:
    ///   - commit: The model.
    ///   - limit: Experts that are told, at most.
    ///   - mostBytes: Bytes that are read, at most, of experts spread evenly over the pool and of what lies here; nil
    ///     for all of them.
    /// - Throws: `not-found`; `unsupported` for experts whose elements are no floats.
    /// - Complexity: Reads each expert that is compared once, in place where it is stored as it is.
    package init(
        to ordinal: Int, layer: UInt32, pool: String, of commit: ObjectID, in store: SnapshotStore,
        limit: Int, mostBytes: Int?, progress: ProgressReporter
    ) throws {
        // Mapped anew for each block, so that what was decompressed for one does not stay.
        func map() throws -> MappedExperts {
            guard let experts = try store.map(commit).experts(layer: layer, pool: pool) else {
                throw CambiumError(.notFound, "there is no pool \(layer)/\(pool)")
            }
            return experts
        }
        let experts = try map()
        let own = try experts.checked(ordinal)
        func norms(_ object: StoredObject) throws -> DifferenceNorms {
            guard let norms = DifferenceNorms(own, object) else {
                let parts = own.header.parts.map(\.description).joined(separator: ", ")
                throw CambiumError(
                    .unsupported,
                    "experts of \(parts) are not compared: their elements are no floats")
            }
            return norms
        }
        _ = try norms(own)
        let size = max(1, experts.pool.expertByteCount)
        let others = (0..<experts.count).filter { $0 != ordinal && !experts.isAbsent($0) }
        var chosen = others
        if let mostBytes, others.count > mostBytes / size {
            let count = mostBytes / size
            chosen = (0..<count).map { others[$0 * others.count / count] }
        }
        var compared = 0
        var nearest: [Near] = []
        let step = max(1, Self.block / size)
        for start in stride(from: 0, to: chosen.count, by: step) {
            try progress(Progress("experts", start, chosen.count))
            let part = chosen[start..<min(start + step, chosen.count)]
            let experts = try map()
            if mostBytes == nil { try experts.fetch(part) }
            for other in part {
                let object =
                    mostBytes != nil && experts.snapshot.isLazy
                    ? try experts.snapshot.objectHere(experts.id(other))
                    : try experts.expert(other)
                guard let object else { continue }
                compared += 1
                let near = Near(ordinal: other, id: object.id, norms: try norms(object))
                guard near.norms.cosine != nil else { continue }
                let place = nearest.firstIndex { near.key < $0.key } ?? nearest.count
                guard place < limit else { continue }
                nearest.insert(near, at: place)
                if nearest.count > limit { nearest.removeLast() }
            }
        }
        try progress(Progress("experts", chosen.count, chosen.count))
        self.others = others.count
        self.compared = compared
        // What is told is checked against its name.
        self.nearest = try nearest.map { near in
            Near(
                ordinal: near.ordinal, id: near.id, norms: try norms(experts.checked(near.ordinal)))
        }
    }
}
