internal import Checkpoints
internal import Evidence
internal import Objects
internal import Snapshots

/// One commit's model, mapped for reading: its tensors by their names in the checkpoint, and its experts.
///
/// Nothing of the weights is read before it is asked for. The commit is kept from being collected as long as this
/// value lives; any thread may read.
///
/// ```swift
/// let snapshot = try store.snapshot("main")
/// let row = try snapshot.data(of: "model.embed_tokens.weight", rows: 17..<18)
/// ```
public final class Snapshot: Sendable {
    /// The commit's id.
    public let id: String
    /// The model tree's id.
    public let tree: String
    let store: SnapshotStore
    let reader: CheckpointReader

    init(_ snapshot: MappedSnapshot, _ store: SnapshotStore) throws {
        reader = try CheckpointReader(snapshot, store)
        self.store = store
        id = snapshot.id.hex
        tree = snapshot.commit.tree.hex
    }

    /// The commit, as ``Store/show(_:)`` tells it now.
    ///
    /// - Throws: `corrupt`, `io`.
    public func commit() throws -> CommitInfo {
        let snapshot = reader.snapshot
        return CommitInfo(
            snapshot.id, snapshot.commit, try store.references().names,
            try store.notes(of: snapshot.id))
    }

    /// What the model consists of, as ``Store/list(_:)`` tells it.
    public func summary() throws -> ModelSummary {
        let snapshot = reader.snapshot
        var adapters = AdapterReader(store)
        return ModelSummary(
            snapshot.id, snapshot.commit.tree, snapshot.tree,
            adapters: try adapters.histories(of: snapshot.id).map { AdapterSummary($0) })
    }

    /// The tensors of the checkpoint, as an export would write them.
    public var tensors: [CheckpointTensor] {
        reader.tensors.assemblies.map {
            CheckpointTensor(
                name: $0.name, dtype: $0.shape.type.name, shape: $0.shape.dimensions)
        }
    }

    /// The pools of experts, by layer.
    public var pools: [ExpertPlaces] {
        reader.tensors.pools.map { ExpertPlaces($0) }.sorted {
            $0.layer == $1.layer ? isBefore($0.pool, $1.pool) : $0.layer < $1.layer
        }
    }

    /// The names of files kept byte for byte, such as config.json.
    public var files: [String] { reader.snapshot.tree.files.keys.sorted(by: isBefore) }

    /// A copy of a file.
    ///
    /// - Throws: `not-found`, `corrupt`.
    public func file(_ name: String) throws -> [UInt8] {
        guard let id = reader.snapshot.tree.files[name] else {
            throw CambiumError(.notFound, "there is no file '\(name)' in \(self.id.prefix(12))")
        }
        return try reader.snapshot.data(of: id)
    }

    /// A copy of a tensor, or of some of its rows: what its first dimension counts; row-major, little-endian.
    ///
    /// What is read is checked against its name.
    ///
    /// - Throws: `not-found` for a tensor or rows that are not there, `bad-shape` for rows that do not fill bytes;
    ///   `corrupt`.
    /// - Complexity: Of a tensor that stacks experts only those of the rows are read.
    public func data(of tensor: String, rows: Range<Int>? = nil) throws -> [UInt8] {
        try reader.tensor(tensor, rows: rows, checks: true).bytes.copy()
    }

    /// A tensor or some of its rows, in place where they are stored so.
    package func view(
        of tensor: String, rows: Range<Int>? = nil, checks: Bool = false
    ) throws -> TensorView {
        TensorView(try reader.tensor(tensor, rows: rows, checks: checks))
    }

    /// Copies a tensor or some of its rows from beside the map, which is not touched.
    package func read(
        _ tensor: String, rows: Range<Int>? = nil, into memory: inout MutableRawSpan
    ) throws { try reader.read(tensor, rows: rows, into: &memory) }

    /// An expert's parts one after the other, in place, and its id.
    package func view(
        ofExpert ordinal: Int, layer: Int, pool: String, checks: Bool
    ) throws -> (id: String, view: TensorView) {
        let (id, view) = try reader.expert(ordinal, layer: layer, pool: pool, checks: checks)
        return (id.hex, TensorView(view))
    }

    /// The ids of some experts, 32 bytes each; zeros where there is none any more.
    package func expertIDs(_ ordinals: Range<Int>, layer: Int, pool: String) throws -> [UInt8] {
        try reader.ids(ordinals, layer: layer, pool: pool)
    }

    /// The id of an expert: equal for equal bytes, wherever they are.
    ///
    /// - Returns: Nil where there is no expert any more.
    /// - Throws: `not-found` for a pool or a number that is not there.
    public func expertID(_ ordinal: Int, layer: Int, pool: String = "base") throws -> String? {
        let experts = try reader.experts(layer: layer, pool: pool)
        guard ordinal >= 0, ordinal < experts.count else {
            throw CambiumError(
                .notFound,
                "there is no expert \(ordinal) in \(layer)/\(pool), which has \(experts.count)")
        }
        let id = try experts.id(ordinal)
        return id == .zero ? nil : id.hex
    }

    /// Branches and tags whose models have the same expert at the same place, by name.
    ///
    /// - Throws: As ``expertID(_:layer:pool:)``.
    /// - Complexity: The tree of each branch and tag is read.
    public func sharers(ofExpert ordinal: Int, layer: Int, pool: String = "base") throws
        -> [NamedReference]
    {
        guard let own = try expertID(ordinal, layer: layer, pool: pool) else { return [] }
        let references = try store.references()
        var known: [ObjectID: Bool] = [:]
        func has(_ commit: ObjectID) throws -> Bool {
            if let answer = known[commit] { return answer }
            let other = try store.map(commit).experts(layer: UInt32(layer), pool: pool)
            let answer = try other.map {
                try ordinal < $0.count && $0.id(ordinal).hex == own
            }
            known[commit] = answer ?? false
            return answer ?? false
        }
        let branches = try references.branches.filter { try has($0.value) }.keys
        let tags = try references.tags.filter { try has($0.value) }.keys
        return branches.sorted(by: isBefore).map { NamedReference(kind: "branch", name: $0) }
            + tags.sorted(by: isBefore).map { NamedReference(kind: "tag", name: $0) }
    }
}

/// Bytes of a tensor or an expert, where they are.
package struct TensorView {
    /// They stay as long as this value, and mapped ones as long as their snapshot.
    package let bytes: MappedBytes
    package let dtype: String
    package let shape: [Int]
    /// Whether they lie in the store's map; else they are in memory of their own.
    package let isMapped: Bool

    fileprivate init(_ view: CheckpointReader.View) {
        bytes = view.bytes
        dtype = view.shape.type.name
        shape = view.shape.dimensions
        isMapped = view.isMapped
    }
}

/// One tensor of a checkpoint.
public struct CheckpointTensor: Sendable, Encodable {
    /// Its name.
    public let name: String
    /// For example "F32".
    public let dtype: String
    /// Outermost dimension first.
    public let shape: [Int]
}

/// A branch or a tag.
public struct NamedReference: Sendable, Encodable, Equatable {
    /// "branch" or "tag".
    public let kind: String
    /// Its name.
    public let name: String
}

/// A pool of experts, and the tensors that hold them in the checkpoint.
public struct ExpertPlaces: Sendable, Encodable {
    /// Which slice of an expert's bytes belongs to which tensor.
    public struct Part: Sendable, Encodable {
        /// The tensor's name, with `{e}` where each expert has a tensor of its own.
        public let tensor: String
        /// Whether one tensor holds the slices of all experts, one after the other.
        public let stacked: Bool
        /// For example "BF16".
        public let dtype: String
        /// Of one expert's slice.
        public let shape: [Int]
        /// Where it begins in an expert's bytes.
        public let offset: Int
        /// Its bytes.
        public let bytes: Int
    }

    /// The number of the layer.
    public let layer: Int
    /// The pool's name.
    public let pool: String
    /// "neuron", "swiglu", "delta" or "tensors".
    public let kind: String
    /// Experts, removed ones included.
    public let experts: Int
    /// Bytes of one expert.
    public let expertBytes: Int
    /// In the order of an expert's bytes.
    public let parts: [Part]
    /// The names of the tensors that route to these experts.
    public let routers: [String]

    init(_ pool: CheckpointPool) {
        layer = pool.layer
        self.pool = pool.pool
        kind = "\(pool.kind)"
        experts = pool.expertCount
        expertBytes = pool.expertByteCount
        parts = zip(pool.tensors, pool.sliceRanges).map { tensor, range in
            Part(
                tensor: tensor.template, stacked: tensor.stacked, dtype: tensor.type.name,
                shape: tensor.sliceDimensions, offset: range.lowerBound, bytes: range.count)
        }
        routers = pool.routerTensors
    }
}

extension Store {
    /// Maps a revision's model for reading.
    ///
    /// - Throws: `not-found`, `ambiguous`, `bad-revision`; `unsupported` for a model whose tensors have no names.
    /// - Complexity: O(tensors); nothing of the weights is read.
    public func snapshot(_ revision: String) throws -> Snapshot {
        try Snapshot(map(revision), snapshots)
    }
}
