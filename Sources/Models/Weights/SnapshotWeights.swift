internal import Architectures
internal import Elements
package import Objects
package import Snapshots

/// The weights of a mapped snapshot, for a model to run on: nothing is copied.
package struct SnapshotWeights: WeightSource {
    private let snapshot: MappedSnapshot
    private let tensors: [String: StoredTensor]
    private let residency: Residency
    private let checks: Bool
    private let ahead: TensorsAhead?

    /// - Parameters:
    ///   - residency: Counts what the experts are used for, and may limit their memory.
    ///   - checks: Whether all data are checked against their names: for models of which something new
    ///     is made. What only runs maps its experts, and they are not read before they are needed.
    package init(
        _ snapshot: MappedSnapshot, residency: Residency = Residency(), checks: Bool = false
    ) {
        self.snapshot = snapshot
        self.residency = residency
        self.checks = checks
        tensors = snapshot.tree.tensors
        ahead = snapshot.isLazy ? TensorsAhead(snapshot) : nil
    }

    package func tensor(_ name: String) throws -> Weights {
        guard let entry = tensors[name] else {
            throw CambiumError(
                .missingTensor, "snapshot \(snapshot.id.short) has no tensor \(name)")
        }
        do {
            let object = try ahead?.object(name) ?? snapshot.object(entry.id)
            if checks { try object.check() }
            return Weights(shape: entry.shape, bytes: object.payload)
        } catch let error as CambiumError {
            throw error.adding("tensor \(name) cannot be read")
        }
    }

    package var releasesMap: Bool { residency.cache != nil }

    package var inventory: WeightInventory? { WeightInventory(snapshot.tree) }

    package func id(of tensor: String) -> ObjectID? { tensors[tensor]?.id }

    package func id(ofExperts layer: Int) -> ObjectID? {
        snapshot.tree.layers[UInt32(clamping: layer)]?.pools[ExpertPool.base]?.experts
    }

    /// By their names: the same content has the same.
    package func isSame(_ one: String, _ other: String) throws -> Bool {
        guard let one = tensors[one], let other = tensors[other] else { return false }
        return one == other
    }

    /// As the checkpoint's layout has them.
    package func expertNames(layer: Int) throws -> [String]? {
        try snapshot.layout()?.pools.first {
            Int($0.layer) == layer && $0.pool == ExpertPool.base
        }?.tensors.flatMap { Array(repeating: $0.template, count: $0.partCount) }
    }

    /// Of tensors of single experts that are in the trunk: one that is not as the others' are, or that is missing.
    package func irregularExperts(layer: Int) -> String? {
        var found: [String: [(number: Int, name: String, shape: TensorShape)]] = [:]
        for (name, entry) in snapshot.tree.trunk.tensors {
            var parts = name.split(separator: ".").map(String.init)
            guard let place = parts.firstIndex(of: "experts"), place + 1 < parts.count,
                let number = Int(parts[place + 1]),
                let start = parts.firstIndex(of: "layers"),
                parts.dropFirst(start + 1).first == "\(layer)"
            else { continue }
            parts[place + 1] = "{e}"
            found[parts.joined(separator: "."), default: []].append((number, name, entry.shape))
        }
        let count = (found.values.joined().map(\.number).max() ?? 0) + 1
        for (name, tensors) in found.sorted(by: { isBefore($0.key, $1.key) }) {
            let numbers = Set(tensors.map(\.number))
            if let missing = (0..<count).first(where: { !numbers.contains($0) }) {
                return "tensor \(name.replacing("{e}", with: "\(missing)")) is missing"
            }
            let shapes = Dictionary(grouping: tensors, by: \.shape)
            guard let usual = shapes.values.max(by: { $0.count < $1.count })?[0].shape,
                let odd = tensors.filter({ $0.shape != usual }).min(by: { $0.number < $1.number })
            else { continue }
            return "tensor \(odd.name) is \(odd.shape), those of other experts are \(usual)"
        }
        return nil
    }

    package func experts(layer: Int) throws -> any ExpertTable {
        try experts(layer: layer, of: ExpertPool.base)
    }

    package func experts(layer: Int, of pool: String) throws -> any ExpertTable {
        guard let experts = snapshot.experts(layer: UInt32(clamping: layer), pool: pool)
        else {
            let whose = pool == ExpertPool.base ? "" : " of pool \(pool)"
            throw CambiumError(
                .missingTensor,
                "snapshot \(snapshot.id.short) has no experts\(whose) in layer \(layer)"
                    + (pool == ExpertPool.base
                        ? irregularExperts(layer: layer).map { ": \($0)" } ?? "" : ""))
        }
        if experts.pool.kind == .row { try check(experts.pool, layer) }
        let stored = try StoredExperts(experts, checks: checks)
        guard let cache = residency.cache else { return try MappedExpertTable(stored, residency) }
        return CopiedExpertTable(stored, residency, cache)
    }

    /// Refuses hashed rows that are not the config's before there is memory for them.
    private func check(_ pool: ExpertPool, _ layer: Int) throws {
        let layers = try snapshot.modelDescription().layers
        let sizes = layers.indices.contains(layer) ? layers[layer].rows : nil
        guard let sizes, UInt64(sizes.expertCount) == pool.count else {
            throw CambiumError(
                .badTensor,
                "the hashed rows of layer \(layer) are \(pool.count) of \(pool.parts); config asks for "
                    + "\(sizes?.expertCount ?? 0)")
        }
    }

    package func rows(layer: Int) throws -> [any ExpertTable] {
        let pool = snapshot.tree.layers[UInt32(clamping: layer)]?.pools[ExpertPool.base]
        guard pool?.kind == .row else {
            throw CambiumError(
                .missingTensor,
                "snapshot \(snapshot.id.short) has no hashed rows in front of layer \(layer)")
        }
        return [try experts(layer: layer)]
    }

    /// Gives back all pages of the store's map that the process has, and asks for small ones from now on:
    /// opening a snapshot and copying its trunk leave many behind, the more so in huge pages.
    ///
    /// - Throws: What reading throws when no tensor can be read.
    package func releaseMap() throws {
        do {
            for entry in tensors.values {
                guard let object = try snapshot.objectHere(entry.id), object.isMapped else {
                    continue
                }
                guard let mapping = MappedBytes.mapping(of: object.payload.address) else { return }
                MappedBytes.avoidHugePages(mapping.addresses)
                MappedBytes.release(mapping.addresses)
                return
            }
        } catch let error as CambiumError {
            throw error.adding("the trunk cannot be read")
        }
    }

    /// Gives back what loading a model left in memory.
    ///
    /// - Parameter limit: Bytes of memory that the process may have.
    /// - Throws: `.limit` when it has more without any expert.
    package func release(within limit: Int) throws {
        ahead?.end()
        try releaseMap()
        let resident = Residency.residentBytes()
        guard resident < limit else {
            throw CambiumError(
                .limit,
                "the process takes \(resident) bytes without any expert; the memory limit of \(limit) "
                    + "bytes must leave room for them above that")
        }
    }
}
