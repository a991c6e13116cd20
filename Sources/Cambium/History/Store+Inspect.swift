internal import Architectures
internal import Evidence
internal import Objects
internal import Snapshots

/// The make-up of a model.
public struct ModelSummary: Sendable, Encodable {
    /// The commit.
    public let id: String
    /// The model tree.
    public let tree: String
    /// For example "peer-lm".
    public let architecture: String
    /// Files kept byte for byte, such as config.json.
    public let files: [String]
    /// Dense tensors.
    public let trunk: [TensorInfo]
    /// Expert layers, by number.
    public let layers: [LayerInfo]
    /// The adapters that rounds added, by name; the experts of some are in `layers` as well.
    public let adapters: [AdapterSummary]
    /// Elements of all tensors and experts.
    public let parameters: Int
    /// Bytes of all tensors and experts.
    public let bytes: Int
}

/// One dense tensor.
public struct TensorInfo: Sendable, Encodable {
    /// Its name in the checkpoint.
    public let name: String
    /// For example "F32".
    public let dtype: String
    /// Outermost dimension first.
    public let shape: [Int]
    /// The object's id.
    public let id: String
}

/// One expert layer.
public struct LayerInfo: Sendable, Encodable {
    /// The layer's number in the model.
    public let layer: Int
    /// Its pools, by name.
    public let pools: [PoolInfo]
}

/// One pool.
public struct PoolInfo: Sendable, Encodable {
    /// "base" for the experts that came with a checkpoint.
    public let name: String
    /// "neuron", "swiglu", "delta" or "tensors".
    public let kind: String
    /// Experts, removed ones included.
    public let experts: Int
    /// Dtype and shape of each part of an expert.
    public let parts: [String]
    /// Bytes of one expert.
    public let expertBytes: Int
    /// "linear", "productKey" or "tree".
    public let router: String
    /// The router's tensors.
    public let routerTensors: [TensorInfo]
    /// The root of the array of expert ids.
    public let root: String
}

/// What rounds made of one adapter.
public struct AdapterSummary: Sendable, Encodable {
    /// A round in few words.
    public struct Round: Sendable, Encodable, Equatable {
        /// The commit's id.
        public let id: String
        /// The first line of its message.
        public let subject: String
        /// When it was made, in seconds since 1970.
        public let time: Int64
    }

    /// Its name.
    public let name: String
    /// "dense" or "lora", what its deltas are; nil for one that only has experts or evidence.
    public let kind: String?
    /// Its own experts, in all layers.
    public let experts: Int
    /// Numbers that were trained, experts included.
    public let parameters: Int
    /// Bytes of them.
    public let bytes: Int
    /// Records of evidence of its texts.
    public let evidence: Int
    /// The commits that made it what it is, newest first.
    public let rounds: [Round]
}

/// One expert, with its data.
public struct ExpertInfo: Sendable, Encodable {
    /// The layer's number.
    public let layer: Int
    /// The pool's name.
    public let pool: String
    /// The expert's number in its pool.
    public let ordinal: Int
    /// The object's id.
    public let id: String
    /// "neuron", "swiglu", "delta" or "tensors".
    public let kind: String
    /// Dtype and shape of each part.
    public let parts: [String]
    /// The raw little-endian data, part after part.
    ///
    /// Not encoded.
    public let data: [UInt8]

    enum CodingKeys: String, CodingKey { case layer, pool, ordinal, id, kind, parts }
}

/// One place in a pool.
public struct ExpertEntry: Sendable, Encodable {
    /// The expert's number in its pool.
    public let ordinal: Int
    /// The object's id; nil when the expert was removed.
    public let id: String?
}

extension Store {
    /// What a revision's model consists of.
    ///
    /// - Complexity: With adapters, reads the commits that lead to it, to tell which made them.
    public func list(_ revision: String) throws -> ModelSummary {
        let id = try id(revision)
        let tree = try snapshots.commit(id).tree
        var reader = AdapterReader(snapshots)
        return ModelSummary(
            id, tree, try snapshots.tree(tree),
            adapters: try reader.histories(of: id).map { AdapterSummary($0) })
    }

    /// One expert's data, copied.
    ///
    /// - Parameters:
    ///   - revision: The model.
    ///   - path: `LAYER/ORDINAL` for the base pool, or `LAYER/POOL/ORDINAL`.
    /// - Throws: `usage` for a malformed path, `not-found`.
    public func expert(_ revision: String, _ path: String) throws -> ExpertInfo {
        let (layer, pool, ordinal, object) = try snapshots.expert(at: revision, path)
        return ExpertInfo(
            layer: Int(layer), pool: pool, ordinal: ordinal, id: object.id.hex,
            kind: "\(object.header.kind)", parts: object.header.parts.map(\.description),
            data: object.payload.copy())
    }

    /// The ids of a pool's experts, by ordinal.
    ///
    /// - Parameters:
    ///   - revision: The model.
    ///   - path: `LAYER` for the base pool, or `LAYER/POOL`.
    /// - Throws: `usage` for a malformed path, `not-found`.
    public func experts(_ revision: String, in path: String) throws -> [ExpertEntry] {
        try snapshots.experts(at: revision, in: path).enumerated().map {
            ExpertEntry(ordinal: $0, id: $1 == .zero ? nil : $1.hex)
        }
    }

    /// The raw bytes of a file such as config.json, or of a tensor outside the experts, by its name
    /// in the checkpoint; copied.
    ///
    /// - Throws: `not-found`.
    public func data(_ revision: String, named name: String) throws -> [UInt8] {
        try snapshots.data(at: revision, named: name)
    }
}

extension ModelSummary {
    init(_ id: ObjectID, _ treeID: ObjectID, _ tree: Tree, adapters: [AdapterSummary] = []) {
        self.init(
            id: id.hex, tree: treeID.hex, architecture: tree.architecture,
            files: tree.files.keys.sorted(by: isBefore), trunk: infos(tree.trunk.tensors),
            layers: tree.layers.sorted { $0.key < $1.key }.map { number, layer in
                LayerInfo(
                    layer: Int(number),
                    pools: layer.pools.sorted { isBefore($0.key, $1.key) }.map {
                        PoolInfo($0.key, $0.value)
                    })
            }, adapters: adapters,
            parameters: tree.parameterCount { AdapterTensorName.adapter(describedBy: $0) != nil },
            bytes: tree.byteCount)
    }
}

extension AdapterSummary {
    init(_ adapter: AdapterHistory) {
        self.init(
            name: adapter.name, kind: adapter.kind, experts: adapter.content.experts,
            parameters: adapter.content.parameters, bytes: adapter.content.bytes,
            evidence: adapter.evidence,
            rounds: adapter.rounds.map {
                Round(id: $0.id.hex, subject: $0.commit.subject, time: $0.commit.time)
            })
    }
}

extension PoolInfo {
    init(_ name: String, _ pool: ExpertPool) {
        self.init(
            name: name, kind: "\(pool.kind)", experts: Int(clamping: pool.count),
            parts: pool.parts.map(\.description),
            expertBytes: pool.expertByteCount,
            router: pool.routerKind.name, routerTensors: infos(pool.router),
            root: pool.experts.hex)
    }
}

private func infos(_ tensors: [String: StoredTensor]) -> [TensorInfo] {
    tensors.sorted { isBefore($0.key, $1.key) }.map {
        TensorInfo(
            name: $0.key, dtype: $0.value.shape.type.name, shape: $0.value.shape.dimensions,
            id: $0.value.id.hex)
    }
}
