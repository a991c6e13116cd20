internal import Architectures
package import Elements
internal import Files
internal import Models
package import Objects
package import Snapshots

/// Puts a checkpoint together from a mapped snapshot.
package struct CheckpointExport {
    private let snapshot: MappedSnapshot
    private let tensors: CheckpointTensors
    private let fit: LayoutFit
    private let experts: [MappedExperts]
    private let assemblies: [String: TensorAssembly]
    /// Files besides those of tensors, in the order of their names.
    private let files: [(name: String, id: ObjectID)]
    /// config.json, where it is not the stored one.
    private let config: [UInt8]?
    /// Files that are in no store.
    private let records: [ObjectID: [UInt8]]
    /// The index of shards; nil for one file without it.
    private let index: [UInt8]?
    /// What is not written, in words.
    package let leftOut: [String]

    /// - Parameters:
    ///   - isPlain: Whether what the transformers library would not read is left out.
    ///   - addedExperts: How many experts more the model has than its config.json says.
    ///   - records: The bytes of files of the tree that are in no store.
    package init(
        _ snapshot: MappedSnapshot, _ store: SnapshotStore, isPlain: Bool, addedExperts: Int = 0,
        records: [ObjectID: [UInt8]] = [:]
    ) throws {
        let tree = snapshot.tree
        guard
            let layout = try store.layout(of: tree)
        else {
            throw CambiumError(.unsupported, "this model has no checkpoint layout to be written in")
        }
        let problems = tree.fileNameProblems(layout)
        guard problems.isEmpty else {
            throw CambiumError(
                .corrupt,
                "this model cannot be written as files: \(problems[0])"
                    + (problems.count > 1 ? " (and \(problems.count - 1) more)" : "")
                    + "; `cambium verify` lists all")
        }
        let alternatives = isPlain ? [] : try StoredAdapters(snapshot).alternatives
        guard alternatives.isEmpty else {
            throw CambiumError(
                .unsupported,
                "this model has the alternatives \(alternatives.joined(separator: ", ")), which no checkpoint can hold "
                    + "together: export one (--alternative NAME), or the base alone (--plain)")
        }
        let whole = try CheckpointTensors(tree, layout, absent: store.absentOrdinals)
        let tensors =
            isPlain
            ? try CheckpointTensors(tree, layout, adapters: false, absent: store.absentOrdinals)
            : whole
        let experts = try tensors.experts(in: snapshot)
        let fit = try LayoutFit(layout, tensors)
        let recordFiles = isPlain ? tree.files.keys.filter(RecordFile.isRecord) : []
        index = try tree.files[ShardIndex.fileName].map { id in
            try ShardIndex.fitted(
                snapshot.data(of: id), to: fit.shards, sizes: tensors.sizes, before: whole.sizes)
        }
        files = tree.files.filter { $0.key != ShardIndex.fileName && !recordFiles.contains($0.key) }
            .sorted { isBefore($0.key, $1.key) }.map { ($0.key, $0.value) }
        leftOut =
            recordFiles.sorted(by: isBefore)
            + (isPlain ? CheckpointTensors.adapters(of: tree).map { "adapter \($0)" } : [])
        assemblies = Dictionary(tensors.assemblies.map { ($0.name, $0) }) { first, _ in first }
        let known = addedExperts == 0 ? nil : tree.files[Checkpoint.configName]
        config = try known.map {
            try Architecture.config(snapshot.data(of: $0), adding: addedExperts)
        }
        self.snapshot = snapshot
        self.records = records
        self.tensors = tensors
        self.fit = fit
        self.experts = experts
    }

    package var tensorCount: Int { tensors.assemblies.count }

    package var byteCount: Int { tensors.byteCount }

    package var fileNames: [String] {
        let names = fit.layout.files.map(\.name) + files.map(\.name)
        return index == nil ? names : names + [ShardIndex.fileName]
    }

    /// Writes the checkpoint into a folder, which is created with those above it.
    ///
    /// - Parameter overwrite: Whether files that exist there may be replaced, and files of another checkpoint
    ///   removed that a reader would take for parts of this one or read in its place.
    /// - Returns: The files whose headers are not the ones that were committed, and those that were removed.
    /// - Throws: `exists`.
    package func write(
        to directory: String, overwrite: Bool, _ progress: ProgressReporter
    ) throws -> (canonical: [String], removed: [String]) {
        let folder = try CheckpointFolder(directory)
        let names = fileNames
        let strays = folder.strays(beside: names, isRecord: RecordFile.isNamedByID)
        try folder.checkFree(names, strays, overwrite: overwrite)
        let made = try makeDirectories(directory)
        let staged: (files: [StagedFile], canonical: [String])
        do {
            staged = try stage(in: directory, progress)
        } catch {
            // Only empty ones go: what somebody put into one meanwhile keeps it.
            for folder in made.reversed() { try? removeDirectory(folder) }
            throw error
        }
        try folder.replace(by: staged.files, removing: strays)
        return (staged.canonical, strays)
    }

    /// Writes all files, which do not get their names yet.
    private func stage(
        in directory: String, _ progress: ProgressReporter
    ) throws -> (files: [StagedFile], canonical: [String]) {
        var staged: [StagedFile] = []
        var canonical = fit.canonical
        var done = 0
        for file in fit.layout.files {
            let (entries, isOrdered) = fit.tensors(of: file)
            let (written, isAsked) = try SafetensorsWriter.stage(
                entries, metadata: HeaderMetadata(file.metadata), ordered: isOrdered,
                splice: file.splice.map(HeaderSplice.init), at: directory + "/" + file.name
            ) { (position, sink: inout TensorSink) in
                guard let assembly = assemblies[entries[position].name] else {
                    throw CambiumError(.corrupt, "tensor \(entries[position].name) is missing")
                }
                let next = position + Self.ahead
                for entry in entries[(position == 0 ? 0 : min(next, entries.count))...].prefix(
                    position == 0 ? next + 1 : 1)
                { willRead(entry.name) }
                try fill(assembly, &sink)
                done += 1
                try progress(Progress("tensors", done, tensorCount))
            }
            staged.append(written)
            if !isAsked { canonical.append(file.name) }
        }
        for (name, id) in files {
            if name == Checkpoint.configName, let config {
                staged.append(try stageFile(config.raw, at: directory + "/" + name))
                continue
            }
            if let bytes = records[id] {
                staged.append(try stageFile(bytes.raw, at: directory + "/" + name))
                continue
            }
            let object = try snapshot.checked(id)
            let payload = object.payload
            staged.append(
                try stageFile(payload.bytes, at: directory + "/" + name))
        }
        if let index {
            staged.append(
                try stageFile(index.raw, at: directory + "/" + ShardIndex.fileName))
        }
        return (staged, canonical)
    }

    /// Tensors that are asked for while one is written.
    private static let ahead = 4

    /// Asks the system to read what a tensor is made of; what a remote has comes when it is written.
    private func willRead(_ name: String) {
        guard !snapshot.isLazy, let assembly = assemblies[name] else { return }
        switch assembly.source {
        case .whole:
            guard let entry = tensors.stored[name] else { return }
            try? snapshot.object(entry.id).willRead()
        case .experts(let pool, let ordinals, let range):
            // Of many, each block asks for its own.
            guard ordinals.count == 1, range.lowerBound == 0 else { return }
            try? experts[pool].expert(ordinals.lowerBound).willRead()
        }
    }

    private func fill(_ assembly: TensorAssembly, _ sink: inout TensorSink) throws {
        switch assembly.source {
        case .whole:
            guard let entry = tensors.stored[assembly.name] else {
                throw CambiumError(.corrupt, "tensor \(assembly.name) is missing")
            }
            let object = try snapshot.checked(entry.id)
            guard object.header.parts == [entry.shape] else {
                throw CambiumError(
                    .corrupt,
                    "tensor \(assembly.name) is \(object.header.parts), not \(entry.shape); run "
                        + "`cambium verify`")
            }
            let payload = object.payload
            try sink.append(payload.bytes)
        case .experts(let pool, let ordinals, let range):
            let mapped = experts[pool]
            // Hashed when the first of its parts is written.
            let hashes = range.lowerBound == 0
            // The next block is found and hashed while the present one is written.
            var next = Self.block(ordinals, mapped, hashes)
            while let block = next?.found.wait(), let rest = next?.rest {
                next = Self.block(rest, mapped, hashes)
                for result in block {
                    let payload = try result.get()
                    try sink.append(payload.bytes.extracting(range))
                }
            }
        }
    }

    /// Finds the first of some experts on all cores; nil when there are none.
    private static func block(
        _ ordinals: Range<Int>, _ experts: MappedExperts, _ hashes: Bool
    ) -> (found: Background<[Result<MappedBytes, any Error>]>, rest: Range<Int>)? {
        guard !ordinals.isEmpty else { return nil }
        // What comes from a remote is memory of its own, and comes together.
        let most =
            experts.snapshot.isLazy
            ? max(1, min(4096, (64 << 20) / max(experts.pool.expertByteCount, 1))) : 4096
        let end = min(ordinals.lowerBound + most, ordinals.upperBound)
        let found = Background {
            // What cannot be had is told by whoever reads it.
            try? experts.fetch(ordinals.lowerBound..<end)
            let places = ordinals.lowerBound..<end
            if hashes {
                StoredObject.willRead(places.compactMap { try? experts.expert($0) })
            }
            return concurrentMap(places.count, grain: 64) { position in
                expert(places.lowerBound + position, experts, hashes)
            }
        }
        return (found, end..<ordinals.upperBound)
    }

    private static func expert(
        _ ordinal: Int, _ experts: MappedExperts, _ hashes: Bool
    ) -> Result<MappedBytes, any Error> {
        do {
            let object = hashes ? try experts.checked(ordinal) : try experts.expert(ordinal)
            return .success(object.payload)
        } catch {
            return .failure(error)
        }
    }
}
