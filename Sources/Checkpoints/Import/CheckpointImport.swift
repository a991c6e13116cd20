package import Elements
internal import Evidence
internal import Objects
internal import Routing
package import Snapshots
internal import Tensors

/// What was found out of a dense tensor before it is staged.
private struct PreparedTensor: Sendable {
    let object: PreparedObject
    let nonFinite: NonFiniteCount

    init(_ tensor: Checkpoint.Tensor, _ copies: StoredCopies, _ before: Tree?) throws {
        let bytes = tensor.bytes.bytes
        let header = try ObjectHeader(.tensor, [tensor.shape])
        let old = before?.tensor(named: tensor.name)
        object = try copies.prepared(
            header, bytes, after: old?.shape == tensor.shape ? old.map { .object($0.id) } : nil)
        nonFinite =
            object.found?.isIntact == true
            ? NonFiniteCount(nan: 0, infinite: 0) : NonFiniteCount(bytes, [tensor.shape])
    }
}

/// Splits a checkpoint into experts, router tables and trunk tensors, and stages them.
struct CheckpointImport {
    private let source: CheckpointSource
    private(set) var nonFinite = NonFiniteCount(nan: 0, infinite: 0)
    /// The first tensor or expert whose numbers are not all finite.
    private var firstNonFinite: String?
    /// Experts that the store did not have.
    private(set) var newExperts = 0
    /// Squared gradients that the branch's head has of experts which the checkpoint has too.
    private var kept: [String: ObjectID] = [:]
    private var measured: [ObjectID: String] = [:]
    /// The branch's model so far: what the new one's objects take the place of.
    private let before: Tree?
    /// Dense tensors that are looked at in one go: enough for all cores.
    private static let tensorsAtOnce = 64

    /// What a user should know of the numbers that were imported.
    var notes: [String] {
        firstNonFinite.map { ["\($0) holds NaN or infinity, the first that does"] } ?? []
    }

    init(_ source: CheckpointSource, after before: Tree?) {
        self.source = source
        self.before = before
        for name in source.headFiles.keys {
            if let id = RecordFile.measured(name) { measured[id] = name }
        }
    }

    /// Fills the draft's tree.
    mutating func run(_ draft: inout CommitDraft, _ progress: ProgressReporter) throws {
        var tree = Tree(architecture: source.layout.architecture)
        let trunk = source.layout.trunk
        tree.trunk.tensors = try stage(trunk, &draft) { count throws in
            try progress(Progress("trunk tensors", count, trunk.count))
        }
        for pool in source.layout.pools {
            let router = try stage(pool.routerTensors, &draft)
            let experts = try stageExperts(of: pool, &draft, progress)
            let stored = ExpertPool(
                kind: pool.kind, parts: pool.parts, count: UInt64(pool.expertCount),
                experts: experts, routerKind: pool.routerKind, router: router)
            tree.layers[UInt32(pool.layer), default: Layer()].pools[pool.pool] = stored
        }
        try stageFiles(&tree, &draft)
        tree.layout = try draft.put(.layout, source.stored.encoded)
        // What was read must be what was checked at opening.
        try source.checkpoint.checkUnchanged()
        draft.tree = tree
    }

    /// Stages dense tensors, several at a time on all cores.
    private mutating func stage(
        _ names: [String], _ draft: inout CommitDraft, _ staged: (Int) throws -> Void = { _ in }
    ) throws -> [String: StoredTensor] {
        var all: [String: StoredTensor] = [:]
        var start = 0
        while start < names.count {
            let tensors = try names[start...].prefix(Self.tensorsAtOnce).map { name in
                guard let tensor = source.checkpoint.tensor(named: name) else {
                    throw CambiumError(.notFound, "the checkpoint has no tensor \(name)")
                }
                return tensor
            }
            let (copies, before) = (draft.copies, before)
            let prepared = concurrentMap(tensors.count, grain: 1) { position in
                Result { try PreparedTensor(tensors[position], copies, before) }
            }
            for (position, tensor) in tensors.enumerated() {
                let name = names[start + position]
                let count = draft.newObjects
                do {
                    let found = try prepared[position].get()
                    all[name] = try draft.putTensor(
                        tensor.shape, tensor.bytes.bytes, found.object,
                        after: before?.tensor(named: name))
                    if draft.newObjects > count {
                        self.count(found.nonFinite, "tensor \(name)")
                    }
                    keepGradients(of: found.object.id)
                } catch let error as CambiumError {
                    throw CambiumError(error.code, "tensor \(name): \(error.message)")
                }
                try staged(start + position + 1)
            }
            start += tensors.count
        }
        return all
    }

    private mutating func stageExperts(
        of pool: CheckpointPool, _ draft: inout CommitDraft, _ progress: ProgressReporter
    ) throws -> ObjectID {
        var (pool, reader) = (pool, try PoolReader(pool, in: source.checkpoint))
        if pool.kind == .row {
            pool = pool.lacking(reader.zeroExperts)
            reader = try PoolReader(pool, in: source.checkpoint)
        }
        let total = pool.expertCount - pool.absent.count
        var ids: [ObjectID] = []
        var places: [Placement] = []
        ids.reserveCapacity(total)
        places.reserveCapacity(total)
        draft.reserve(total)
        let header = try ObjectHeader(pool.kind, pool.parts)
        let size = header.payloadCount
        let old = before?.layers[UInt32(pool.layer)]?.pools[pool.pool]
        let isAlike = old?.kind == pool.kind && old?.parts == pool.parts
        let versions = draft.versions(ofArray: isAlike ? old?.experts : nil)
        var blocks = ExpertBlocks(reader, header, draft.copies, after: versions)
        defer { blocks.finish() }
        while let block = try blocks.block() {
            for part in block {
                for (position, id) in part.ids.enumerated() {
                    let range = (position * size)..<((position + 1) * size)
                    let count = draft.newObjects
                    places.append(
                        try draft.put(
                            id, header, part.bytes.raw.extracting(range), part.found[position],
                            as: part.differences[position]))
                    ids.append(id)
                    keepGradients(of: id)
                    if draft.newObjects > count {
                        newExperts += 1
                        if let found = part.nonFinite[position] {
                            self.count(
                                found, "expert \(pool.place)/\(pool.ordinals[ids.count - 1])")
                        }
                    }
                }
            }
            blocks.giveBack(block)
            try progress(Progress("experts of layer \(pool.layer)", ids.count, total))
        }
        guard !pool.absent.isEmpty, let place = places.first, let last = pool.ordinals.last else {
            return draft.putExperts(ids, places: places)
        }
        var all = [ObjectID](repeating: .zero, count: last + 1)
        // Those of experts that are not there mean nothing.
        var allPlaces = [Placement](repeating: place, count: last + 1)
        for (position, ordinal) in pool.ordinals.enumerated() {
            (all[ordinal], allPlaces[ordinal]) = (ids[position], places[position])
        }
        return draft.putExperts(all, places: allPlaces)
    }

    private func stageFiles(_ tree: inout Tree, _ draft: inout CommitDraft) throws {
        tree.files = source.headFiles.filter { RecordFile.measured($0.key) == nil }
        tree.files.merge(kept) { $1 }
        // One at a time: a record may be as large as a tensor.
        for name in source.checkpoint.records {
            let content = try source.record(name)
            tree.files[name] = try draft.put(.file, content)
        }
        for file in source.files {
            tree.files[file.name] = try draft.put(.file, file.content)
        }
    }

    /// What was measured of an object holds where the object is.
    private mutating func keepGradients(of id: ObjectID) {
        guard !measured.isEmpty, let name = measured[id] else { return }
        kept[name] = source.headFiles[name]
    }

    private mutating func count(_ found: NonFiniteCount, _ place: @autoclosure () -> String) {
        nonFinite = nonFinite + found
        if firstNonFinite == nil, found.nan + found.infinite > 0 { firstNonFinite = place() }
    }
}

extension SnapshotStore {
    /// Commits a checkpoint.
    ///
    /// - Parameter wanted: See ``CheckpointSource``.
    /// - Throws: `unfit` for a model that would not run as the branch's history does, unless the request takes
    ///   it; `branch-moved`; the codes of a bad checkpoint. Then the store's branches are as they were.
    package func commit(
        checkpoint path: String, _ request: CommitRequest,
        keeping wanted: CheckpointSource.HeadFiles?, progress: ProgressReporter
    ) throws -> CommittedModel {
        try commit(
            Checkpoint(opening: path, isRecord: RecordFile.isNamedByID), request, keeping: wanted,
            progress: progress)
    }

    /// Commits tensors in memory, as a folder that holds them in one file would be.
    ///
    /// - Parameters: See ``Checkpoint/init(tensors:metadata:files:isFolder:)``.
    /// - Throws: As a commit of a folder; `bad-name` for a file that would be a record by its name.
    package func commit(
        tensors: [(entry: TensorEntry, bytes: MappedBytes)], metadata: HeaderMetadata?,
        files: [Checkpoint.Auxiliary], _ request: CommitRequest,
        keeping wanted: CheckpointSource.HeadFiles?, progress: ProgressReporter
    ) throws -> CommittedModel {
        if let record = files.first(where: { RecordFile.isNamedByID($0.name) }) {
            throw CambiumError(
                .badName,
                "\(record.name) is the name of a record; records are committed with a folder, or by their own calls"
            )
        }
        return try commit(
            Checkpoint(tensors: tensors, metadata: metadata, files: files), request,
            keeping: wanted,
            progress: progress)
    }

    func commit(
        _ checkpoint: @autoclosure () throws -> Checkpoint, _ request: CommitRequest,
        keeping wanted: CheckpointSource.HeadFiles?, progress: ProgressReporter
    ) throws -> CommittedModel {
        let target = try CommitTarget(request, self)
        let source = try CheckpointSource(checkpoint(), target.before, self, keeping: wanted)
        var draft = try CommitDraft(self, tree: Tree(architecture: source.layout.architecture))
        var importer = CheckpointImport(source, after: target.before)
        try importer.run(&draft, progress)
        if !request.excerpts.isEmpty {
            let known = try target.parent.map { try map($0).evidence() } ?? []
            let kept = known.filter { draft.tree.files.values.contains($0.id) }
            _ = try draft.add(request.excerpts, kept)
        }
        let tree = draft.tree
        // A branch that only begins has no history of its own yet.
        if !request.allowsUnfit, !target.isNewBranch, let parent = target.parent,
            let before = target.before
        {
            try source.checkFit(
                tree, after: parent, before, self, "the model on branch '\(target.branch)'")
        }
        let outcome = try target.commit(draft, request)
        return CommittedModel(
            outcome, tree, target, request, newExperts: importer.newExperts,
            nonFinite: importer.nonFinite, layout: source.layout,
            notes: source.notes + importer.notes)
    }
}
