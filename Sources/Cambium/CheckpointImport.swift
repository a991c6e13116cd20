internal import Elements
internal import Interchange
internal import KeyValue
internal import Models
internal import Objects
internal import Snapshots
internal import Tensors

/// A checkpoint that is to be committed, with its config and its layout.
struct CheckpointSource {
    let checkpoint: Checkpoint
    let config: [UInt8]?
    let layout: CheckpointLayout
    let notes: [String]

    /// Opens the checkpoint.
    ///
    /// A file given by itself takes the config.json beside it, or else that of the branch's head.
    init(_ path: String, _ before: Tree?, _ store: Store) throws(StoreError) {
        let checkpoint = try reading { () throws(InterchangeError) in
            try Checkpoint(opening: path)
        }
        var notes: [String] = []
        var config = checkpoint.config
        if config == nil, let beside = configBeside(path) {
            config = beside
            notes.append("config.json was read from the file's folder")
        }
        if config == nil, let id = before?.files[Checkpoint.configName] {
            config = try carrying { () throws(SnapshotError) in try store.snapshots.data(of: id).1 }
            notes.append(
                "the checkpoint has no config.json: the one of the branch's head was taken")
        }
        let found = config
        do throws(StoreError) {
            layout = try reading { () throws(InterchangeError) in
                try CheckpointLayout(config: found, tensors: checkpoint.tensors.map(\.entry))
            }
        } catch {
            // Whoever gave one file does not expect the config of another model.
            guard checkpoint.config == nil, let note = notes.first else { throw error }
            throw StoreError(
                error.code, "\(error.message) (\(note); commit a folder with the right config.json)"
            )
        }
        if let note = layout.note { notes.append(note) }
        if !checkpoint.ignored.isEmpty {
            notes.append(
                "not part of a model, left out: \(checkpoint.ignored.joined(separator: ", "))")
        }
        self.checkpoint = checkpoint
        self.config = config
        self.notes = notes
    }
}

/// The config.json in the folder of a file.
private func configBeside(_ path: String) -> [UInt8]? {
    guard path.hasSuffix(".safetensors") else { return nil }
    let folder = path.lastIndex(of: "/").map { String(path[...$0]) } ?? ""
    return try? readFile(folder + Checkpoint.configName, limit: 1 << 20)
}

/// Splits a checkpoint into experts, router tables and trunk tensors, and stages them.
struct CheckpointImport {
    private let source: CheckpointSource
    private let before: Tree?
    private(set) var nonFinite = NonFiniteCount(nan: 0, infinite: 0)
    /// Experts that the store did not have.
    private(set) var newExperts = 0

    init(_ source: CheckpointSource, _ before: Tree?) {
        self.source = source
        self.before = before
    }

    /// Fills the draft's tree.
    mutating func run(
        _ draft: inout CommitDraft, _ progress: ProgressReporter
    ) throws(StoreError) {
        var tree = Tree(architecture: source.layout.architecture)
        for (number, name) in source.layout.trunk.enumerated() {
            tree.trunk.tensors[name] = try stage(name, &draft)
            progress(Progress("trunk tensors", number + 1, source.layout.trunk.count))
        }
        for pool in source.layout.pools {
            var router: [String: StoredTensor] = [:]
            for name in pool.routerTensors { router[name] = try stage(name, &draft) }
            let experts = try stageExperts(of: pool, &draft, progress)
            let cohort = Cohort(
                kind: pool.objectKind, parts: pool.parts, count: UInt64(pool.expertCount),
                experts: experts, routerKind: pool.storedRouterKind, router: router)
            tree.layers[UInt32(pool.layer), default: Layer()].cohorts[pool.cohort] = cohort
        }
        try stageFiles(&tree, &draft)
        tree.layout = try carrying { [source] () throws(SnapshotError) in
            try draft.put(.layout, source.storedLayout.encoded)
        }
        // What was read must be what was checked at opening.
        try reading { [source] () throws(InterchangeError) in
            try source.checkpoint.checkUnchanged()
        }
        draft.tree = tree
    }

    private mutating func stage(
        _ name: String, _ draft: inout CommitDraft
    ) throws(StoreError) -> StoredTensor {
        guard let tensor = source.checkpoint.tensor(named: name) else {
            throw StoreError(.notFound, "the checkpoint has no tensor \(name)")
        }
        let count = draft.newObjects
        let entry: StoredTensor
        do throws(SnapshotError) {
            entry = try draft.putTensor(tensor.shape, tensor.bytes.bytes)
        } catch {
            throw StoreError(
                StoreError.Code(rawValue: error.code.rawValue), "tensor \(name): \(error.message)")
        }
        if draft.newObjects > count { countNonFinite(tensor.bytes.bytes, [tensor.shape]) }
        return entry
    }

    private mutating func stageExperts(
        of pool: ExpertPool, _ draft: inout CommitDraft, _ progress: ProgressReporter
    ) throws(StoreError) -> ObjectID {
        let checkpoint = source.checkpoint
        let reader = try reading { () throws(InterchangeError) in
            try PoolReader(pool, in: checkpoint)
        }
        var ids: [ObjectID] = []
        var places: [Placement] = []
        ids.reserveCapacity(pool.expertCount)
        places.reserveCapacity(pool.expertCount)
        draft.reserve(pool.expertCount)
        do throws(SnapshotError) {
            let header = try expertHeader(pool)
            let size = header.payloadCount
            var blocks = ExpertBlocks(reader, header)
            while let block = blocks.block() {
                for part in block {
                    for (position, id) in part.ids.enumerated() {
                        let range = (position * size)..<((position + 1) * size)
                        let count = draft.newObjects
                        places.append(
                            try draft.put(id, header, part.bytes.raw.extracting(range)))
                        ids.append(id)
                        if draft.newObjects > count {
                            newExperts += 1
                            nonFinite = nonFinite + part.nonFinite[position]
                        }
                    }
                }
                progress(Progress("experts of layer \(pool.layer)", ids.count, pool.expertCount))
            }
        } catch {
            throw StoreError(error)
        }
        return draft.putExperts(ids, places: places)
    }

    private func stageFiles(
        _ tree: inout Tree, _ draft: inout CommitDraft
    ) throws(StoreError) {
        var files = source.checkpoint.auxiliary.map { ($0.name, $0.content) }
        if let config = source.config { files.append((Checkpoint.configName, config)) }
        if let index = source.checkpoint.index {
            files.append((ShardIndex.fileName, index.content))
        }
        // What was learned about the branch's data stays when a new checkpoint comes.
        for (name, id) in before?.files ?? [:]
        where name.hasPrefix(EvidenceName.prefix) || name == MixtureDescription.fileName {
            tree.files[name] = id
        }
        do throws(SnapshotError) {
            for (name, content) in files { tree.files[name] = try draft.put(.file, content) }
        } catch {
            throw StoreError(error)
        }
    }

    private mutating func countNonFinite(_ bytes: RawSpan, _ parts: [TensorShape]) {
        nonFinite = nonFinite + NonFiniteCount(bytes, parts)
    }
}

/// The header of every expert of a pool.
private func expertHeader(_ pool: ExpertPool) throws(SnapshotError) -> ObjectHeader {
    do throws(ObjectError) {
        return try ObjectHeader(pool.objectKind, pool.parts)
    } catch {
        throw SnapshotError(error)
    }
}
