internal import Architectures
internal import Elements
internal import Objects
package import Snapshots
internal import Synchronization

/// All that a source has, so that a model can tell what of it is left over.
package struct WeightInventory: Sendable {
    /// The experts of one pool.
    package struct Pool: Sendable, Hashable {
        package let layer: Int
        package let pool: String
        package let count: Int

        package init(layer: Int, pool: String, count: Int) {
            self.layer = layer
            self.pool = pool
            self.count = count
        }
    }

    /// The names of tensors that are no experts.
    package let tensors: Set<String>
    package let pools: Set<Pool>

    package init(tensors: Set<String>, pools: Set<Pool>) {
        self.tensors = tensors
        self.pools = pools
    }

    package init(_ tree: Tree) {
        var pools: Set<Pool> = []
        for (number, layer) in tree.layers {
            for (name, pool) in layer.pools {
                pools.insert(
                    Pool(layer: Int(number), pool: name, count: Int(clamping: pool.count)))
            }
        }
        self.init(tensors: Set(tree.tensors.keys), pools: pools)
    }
}

/// Weights that came with a model and that it does not use, and why not.
package struct UnusedWeights: Sendable, Hashable {
    /// A tensor's name, or what the names of several begin with and a star.
    package let name: String
    package let tensors: Int
    package let experts: Int
    package let reason: String

    package init(name: String, tensors: Int, experts: Int, reason: String) {
        self.name = name
        self.tensors = tensors
        self.experts = experts
        self.reason = reason
    }
}

/// Weights of another source, with a note of what was asked for.
struct NotedWeights<Source: WeightSource>: WeightSource {
    private let source: Source
    private let notes = Notes()

    private final class Notes: Sendable {
        let asked = Mutex<(tensors: Set<String>, layers: Set<Int>)>(([], []))
        /// Since the content was taken.
        let read = Mutex<[(name: String, id: ObjectID?)]>([])
    }

    init(_ source: Source) { self.source = source }

    var releasesMap: Bool { source.releasesMap }
    var inventory: WeightInventory? { source.inventory }

    func tensor(_ name: String) throws -> Weights {
        let found = try source.tensor(name)
        notes.asked.withLock { _ = $0.tensors.insert(name) }
        notes.read.withLock { $0.append((name, source.id(of: name))) }
        return found
    }

    func id(of tensor: String) -> ObjectID? { source.id(of: tensor) }

    func id(ofExperts layer: Int) -> ObjectID? { source.id(ofExperts: layer) }

    /// The content of the tensors that were read since the last time.
    func takeContent() -> PartContent {
        notes.read.withLock { read in
            defer { read = [] }
            return PartContent(read)
        }
    }

    func isSame(_ one: String, _ other: String) throws -> Bool {
        try source.isSame(one, other)
    }

    func experts(layer: Int) throws -> any ExpertTable {
        let found = try source.experts(layer: layer)
        notes.asked.withLock { _ = $0.layers.insert(layer) }
        return found
    }

    func expertNames(layer: Int) throws -> [String]? { try source.expertNames(layer: layer) }

    func irregularExperts(layer: Int) -> String? { source.irregularExperts(layer: layer) }

    func experts(layer: Int, of pool: String) throws -> any ExpertTable {
        try source.experts(layer: layer, of: pool)
    }

    func rows(layer: Int) throws -> [any ExpertTable] {
        let found = try source.rows(layer: layer)
        notes.asked.withLock { _ = $0.layers.insert(layer) }
        return found
    }

    /// What was never asked for; empty where the source does not know what it has.
    var rest: WeightInventory {
        guard let all = source.inventory else { return WeightInventory(tensors: [], pools: []) }
        return notes.asked.withLock { asked in
            WeightInventory(
                tensors: all.tensors.subtracting(asked.tensors),
                pools: all.pools.filter {
                    $0.pool != ExpertPool.base || !asked.layers.contains($0.layer)
                })
        }
    }
}

extension WeightInventory {
    /// What does not belong to an adapter that is described; whether its weights fit is checked with the adapter.
    var withoutAdapters: WeightInventory {
        let adapters = Set(tensors.compactMap { AdapterTensorName.adapter(describedBy: $0) })
        let prefixes = adapters.map { AdapterTensorName.prefix(of: $0) }
        return WeightInventory(
            tensors: tensors.filter { name in !prefixes.contains { name.hasPrefix($0) } },
            pools: pools.filter { !adapters.contains($0.pool) })
    }

    /// Refuses what nobody knows the use of: a model that leaves out a bias or a norm runs, and says other things
    /// than it was trained to.
    ///
    /// - Throws: `.unusedTensor`, with names.
    func refuse(_ model: String) throws {
        var names = tensors.sorted().map(\.debugDescription)
        for pool in pools.sorted(by: { ($0.layer, $0.pool) < ($1.layer, $1.pool) }) {
            names.append(
                "the \(pool.count) experts of adapter '\(pool.pool)' in layer \(pool.layer)")
        }
        guard !names.isEmpty else { return }
        let most = 5
        let shown = names.prefix(most).joined(separator: ", ")
        throw CambiumError(
            .unusedTensor,
            "the model has \(names.count == 1 ? "a tensor that" : "\(names.count) tensors that") its config "
                + "has no use for: \(shown)"
                + (names.count > most ? " and \(names.count - most) more" : "")
                + "; run as \(model) without them it would not be the model that was trained. Mend the "
                + "config's field (a bias, a norm, the number of layers), or leave the tensors out of the "
                + "checkpoint")
    }
}
