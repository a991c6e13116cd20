internal import Elements
internal import Evidence
internal import Models
internal import Objects
internal import Routing
internal import Snapshots

/// A checkpoint that is to be committed, with the files that go with it and its layout.
package struct CheckpointSource {
    /// What of the branch's head's files goes on where the checkpoint has none of the name.
    package enum HeadFiles {
        case nothing
        /// What was recorded about the model, and a config.json.
        case records
        case all
    }

    let checkpoint: Checkpoint
    let layout: CheckpointLayout
    /// The layout as the store keeps it.
    let stored: Layout
    /// Files that come with the checkpoint, besides its records.
    let files: [Checkpoint.Auxiliary]
    /// Files of the branch's head that the new tree has as well, where the checkpoint has none of the name;
    /// squared gradients among them only where their object stays.
    let headFiles: [String: ObjectID]
    let notes: [String]

    /// Reads what goes with a checkpoint.
    ///
    /// A file given by itself takes the files beside it, such as config.json, and then those of the branch's
    /// head. A folder takes of these only a config.json that it lacks, and what was recorded about the model.
    ///
    /// - Parameter wanted: Nil for that rule; with ``HeadFiles/nothing`` nothing but the path itself counts.
    init(
        _ checkpoint: Checkpoint, _ before: Tree?, _ store: SnapshotStore,
        keeping wanted: HeadFiles? = nil
    ) throws {
        var notes: [String] = []
        let wanted = wanted ?? (checkpoint.isFolder ? .records : .all)
        let files = try Self.files(checkpoint, isAlone: wanted == .nothing, &notes)
        let (head, left) = Self.headFiles(before, wanted, except: Set(files.map(\.name)))
        let kept = head.keys.filter { !RecordFile.isRecord($0) }.sorted(by: isBefore)
        if !kept.isEmpty {
            notes.append(
                "\(kept.joined(separator: ", ")): kept from the branch's head"
                    + (checkpoint.isFolder ? "" : " (--alone leaves them out)"))
        }
        if !left.isEmpty {
            notes.append(
                "\(left.joined(separator: ", ")) of the branch's head: not kept"
                    + (wanted == .nothing ? "" : ", as the folder has none"))
        }
        var config = files.first { $0.name == Checkpoint.configName }?.content
        if config == nil, let id = head[Checkpoint.configName] {
            config = try store.data(of: id).1
        }
        let found = config
        do {
            layout = try CheckpointLayout(config: found, tensors: checkpoint.tensors.map(\.entry))
        } catch let error as CambiumError {
            // Whoever gave one file does not expect the config of another model.
            guard checkpoint.config == nil, let note = notes.first else { throw error }
            throw CambiumError(
                error.code, "\(error.message) (\(note); commit a folder with the right config.json)"
            )
        }
        if let note = layout.note { notes.append(note) }
        if !checkpoint.ignored.isEmpty {
            notes.append(
                "not part of a model, left out: \(checkpoint.ignored.joined(separator: ", "))")
        }
        stored = try Layout(checkpoint, layout, &notes)
        self.checkpoint = checkpoint
        self.files = files
        self.headFiles = head
        self.notes = notes
        try checkRecords(store)
    }

    /// A record of the checkpoint's folder.
    ///
    /// - Throws: `bad-input` when its content is not what its name says.
    func record(_ name: String) throws -> [UInt8] {
        let bytes = try checkpoint.record(name)
        try RecordFile.check(name, bytes)
        return bytes
    }

    /// Refuses evidence that no gate can be solved from, before anything is stored.
    private func checkRecords(_ store: SnapshotStore) throws {
        var counts: [CountContribution] = []
        var isNew = false
        for name in checkpoint.records where name.hasPrefix(EvidenceName.prefix) {
            if case .counts(let record) = try evidence(record(name)) { counts.append(record) }
            isNew = isNew || headFiles[name] == nil
        }
        guard isNew else { return }
        for (name, id) in headFiles
        where name.hasPrefix(EvidenceName.prefix) && !checkpoint.records.contains(name) {
            let bytes = try store.data(of: id).1
            if case .counts(let record) = try evidence(bytes) { counts.append(record) }
        }
        _ = try EvidenceGate(counts)
    }

    private func evidence(_ bytes: [UInt8]) throws -> EvidenceRecord {
        try counted(.corrupt) { try EvidenceRecord(decoding: bytes) }
    }

    /// The files that come with the checkpoint.
    private static func files(
        _ checkpoint: Checkpoint, isAlone: Bool, _ notes: inout [String]
    ) throws -> [Checkpoint.Auxiliary] {
        guard checkpoint.isFolder else {
            guard !isAlone else { return [] }
            let beside = try Checkpoint.auxiliary(beside: checkpoint.path)
            // How counts predict goes with the evidence, which only a folder brings.
            let files = beside.filter { $0.name != MixtureDescription.fileName }
            if !files.isEmpty {
                notes.append(
                    "\(files.map(\.name).joined(separator: ", ")): read from the file's folder")
            }
            return files
        }
        var files = checkpoint.auxiliary
        if let config = checkpoint.config {
            files.append(Checkpoint.Auxiliary(name: Checkpoint.configName, content: config))
        }
        if let index = checkpoint.index {
            files.append(Checkpoint.Auxiliary(name: ShardIndex.fileName, content: index.content))
        }
        return files
    }

    /// What of the branch's head's files goes on, and the names of those that do not.
    private static func headFiles(
        _ before: Tree?, _ wanted: HeadFiles, except names: Set<String>
    ) -> (kept: [String: ObjectID], left: [String]) {
        var kept: [String: ObjectID] = [:]
        var left: [String] = []
        for (name, id) in before?.files ?? [:]
        where !names.contains(name) && name != ShardIndex.fileName {
            let goesOn =
                switch wanted {
                case .nothing: false
                // What was learned about the branch's data stays when a new checkpoint comes.
                case .records:
                    RecordFile.isRecord(name) || name.hasPrefix(EvidenceName.prefix)
                        || name == Checkpoint.configName
                case .all: true
                }
            if goesOn {
                kept[name] = id
            } else {
                left.append(name)
            }
        }
        return (kept, left.sorted(by: isBefore))
    }
}
