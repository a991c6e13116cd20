internal import Architectures
internal import Elements
internal import Objects
internal import Snapshots
internal import Synchronization

/// The tensors of a snapshot that may lie on a remote: those of a layer come together, and the next layer's while this
/// one's are made ready.
///
/// A loader asks for one layer after the other, and for some tensors twice.
final class TensorsAhead: Sendable {
    private typealias Coming = Background<Result<[ObjectID: StoredObject], any Error>>

    private struct State: Sendable {
        /// What came of the layer that was asked for last, and of the tensors of no layer since.
        var held: [ObjectID: StoredObject] = [:]
        var layer: Int?
        /// What is on its way.
        var next: (layer: Int, objects: Coming)?
    }

    private let snapshot: MappedSnapshot
    private let tensors: [String: ObjectID]
    private let layers: [Int: [ObjectID]]
    private let state = Mutex(State())

    init(_ snapshot: MappedSnapshot) {
        self.snapshot = snapshot
        tensors = snapshot.tree.tensors.mapValues(\.id)
        var layers: [Int: Set<ObjectID>] = [:]
        for (name, id) in tensors {
            if let layer = Self.layer(of: name) { layers[layer, default: []].insert(id) }
        }
        self.layers = layers.mapValues { $0.sorted() }
    }

    /// The layer that a tensor is of; nil for other tensors, and for those of adapters.
    static func layer(of name: String) -> Int? {
        for start in starts where name.hasPrefix(start) {
            let parts = name.dropFirst(start.count).split(
                separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
            return parts.count == 2 ? Int(parts[0]) : nil
        }
        return nil
    }

    private static let starts = Architecture.prefixes.map { $0 + "layers." }

    /// A tensor; nil when there is none of the name.
    func object(_ name: String) throws -> StoredObject? {
        guard let id = tensors[name] else { return nil }
        return try state.withLock { state in
            if let held = state.held[id] { return held }
            guard let layer = Self.layer(of: name), layer != state.layer else {
                // The layer that will be asked for first comes meanwhile.
                if state.layer == nil, state.next == nil { state.next = start(after: nil) }
                let object = try snapshot.object(id)
                if !object.isMapped { state.held[id] = object }
                return object
            }
            let next = state.next
            state.next = nil
            // What went wrong with another layer is no matter of this one.
            let ahead = next?.objects.wait()
            let objects =
                next?.layer == layer
                ? try ahead?.get() ?? [:] : try Self.objects(layers[layer] ?? [], snapshot)
            state.held = objects
            state.layer = layer
            state.next = start(after: layer)
            return objects[id]
        }
    }

    /// Lets go of what was fetched.
    func end() {
        let next = state.withLock { state in
            state.held = [:]
            let next = state.next
            state.next = nil
            return next
        }
        _ = next?.objects.wait()
    }

    /// Asks for the layer behind another one.
    private func start(after layer: Int?) -> (layer: Int, objects: Coming)? {
        guard let next = layers.keys.filter({ $0 > layer ?? -1 }).min() else { return nil }
        let (ids, snapshot) = (layers[next] ?? [], snapshot)
        return (next, Coming { Result { try Self.objects(ids, snapshot) } })
    }

    private static func objects(
        _ ids: [ObjectID], _ snapshot: MappedSnapshot
    ) throws -> [ObjectID: StoredObject] {
        Dictionary(
            zip(ids, try snapshot.objects(ids)), uniquingKeysWith: { first, _ in first })
    }
}
