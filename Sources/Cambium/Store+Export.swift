internal import Elements
internal import Interchange
internal import KeyValue
internal import Objects
internal import Snapshots

/// What an export wrote.
public struct ExportResult: Sendable, Encodable {
    /// The commit that was exported.
    public let id: String
    /// The folder.
    public let directory: String
    /// Names of the files, in the order in which they were written.
    public let files: [String]
    /// Tensors in them.
    public let tensors: Int
    /// Bytes of the tensors.
    public let bytes: Int
}

extension Store {
    /// Writes a revision's checkpoint as it was committed: the same files, tensor names, dtypes,
    /// shapes and bytes, config.json included.
    ///
    /// - Parameters:
    ///   - revision: What to write.
    ///   - directory: Created when it is missing, with the folders above it.
    ///   - overwrite: Whether files that exist there may be replaced.
    ///   - progress: Told how many tensors are written.
    /// - Throws: `exists`, `usage` for a folder that is a store, `unsupported` when the model has experts that its layout has no place for.
    public func export(
        _ revision: String, to directory: String, overwrite: Bool = false,
        progress: ProgressReporter = { _ in }
    ) throws(StoreError) -> ExportResult {
        guard !directory.isEmpty else { throw StoreError(.usage, "the folder's path is empty") }
        guard !Store.exists(at: directory) else {
            throw StoreError(
                .usage, "\(directory) is a store: name a folder of its own for the checkpoint")
        }
        let snapshot = try map(revision)
        let export = try CheckpointExport(snapshot, self)
        let names = export.fileNames
        guard !fileExists(directory + "/data.mdb") else {
            throw StoreError(
                .usage, "\(directory) is a store; name another folder to export to")
        }
        for name in names where !overwrite && fileExists(directory + "/" + name) {
            throw StoreError(
                .exists, "\(directory)/\(name) exists already; --force replaces it")
        }
        do throws(KeyValueError) {
            try makeDirectories(directory)
        } catch {
            throw StoreError(error)
        }
        try export.write(to: directory, progress)
        return ExportResult(
            id: snapshot.id.hex, directory: directory, files: names,
            tensors: export.tensorCount, bytes: export.byteCount)
    }
}

/// Creates a directory and those above it.
private func makeDirectories(_ path: String) throws(KeyValueError) {
    for end in path.indices.dropFirst() where path[end] == "/" {
        let parent = String(path[..<end])
        if !fileExists(parent) { try makeDirectory(parent) }
    }
    try makeDirectory(path)
}

/// Puts a checkpoint together from a mapped snapshot.
struct CheckpointExport {
    private let snapshot: MappedSnapshot
    private let layout: Layout
    private let pools: [ExpertPool]
    private let experts: [MappedExperts]
    private let assemblies: [TensorAssembly]
    private let stored: [String: StoredTensor]

    init(_ snapshot: MappedSnapshot, _ store: Store) throws(StoreError) {
        let tree = snapshot.tree
        guard
            let layout = try carrying({ () throws(SnapshotError) in
                try store.snapshots.layout(of: tree)
            })
        else {
            throw StoreError(.unsupported, "this model has no checkpoint layout to be written in")
        }
        var stored = tree.trunk.tensors
        var pools: [ExpertPool] = []
        var experts: [MappedExperts] = []
        for pool in layout.allPools(of: tree) {
            guard let mapped = snapshot.experts(layer: pool.layer, cohort: pool.cohort) else {
                throw StoreError(
                    .corrupt,
                    "the layout names cohort \(pool.layer)/\(pool.cohort), which is missing")
            }
            pools.append(try ExpertPool(pool, mapped.cohort))
            experts.append(mapped)
        }
        for (number, layer) in tree.layers {
            for (name, cohort) in layer.cohorts {
                guard pools.contains(where: { $0.layer == Int(number) && $0.cohort == name })
                else {
                    throw StoreError(
                        .unsupported,
                        "cohort \(number)/\(name) has no place in the checkpoint's layout, so the "
                            + "model cannot be exported whole")
                }
                stored.merge(cohort.router) { $1 }
            }
        }
        self.snapshot = snapshot
        self.layout = layout
        self.pools = pools
        self.experts = experts
        self.stored = stored
        assemblies = TensorAssembly.all(
            pools: pools,
            others: stored.sorted { isBefore($0.key, $1.key) }.map {
                Interchange.TensorEntry($0.key, $0.value.shape)
            })
    }

    var tensorCount: Int { assemblies.count }

    var byteCount: Int { assemblies.reduce(0) { $0 + ($1.shape.byteCount ?? 0) } }

    var fileNames: [String] {
        layout.files.map(\.name) + files.map(\.key)
    }

    /// Evidence and squared gradients stay in the store: they are about the model, not a part of its
    /// checkpoint.
    private var files: [(key: String, value: ObjectID)] {
        snapshot.tree.files.filter {
            !$0.key.hasPrefix(EvidenceName.prefix) && !$0.key.hasPrefix(FisherFile.prefix)
        }
        .sorted { isBefore($0.key, $1.key) }
    }

    func write(to directory: String, _ progress: ProgressReporter) throws(StoreError) {
        var done = 0
        // What no file lists goes into the last.
        let listed = Set(layout.files.flatMap(\.tensors))
        for (number, file) in layout.files.enumerated() {
            let names = Set(file.tensors)
            let isLast = number == layout.files.count - 1
            let wanted = assemblies.filter {
                names.isEmpty || names.contains($0.name) || isLast && !listed.contains($0.name)
            }
            let metadata = file.metadata.map { metadata in
                HeaderMetadata(
                    entries: metadata.sorted { isBefore($0.key, $1.key) }.map {
                        HeaderMetadata.Entry(key: $0.key, value: $0.value)
                    })
            }
            try SafetensorsWriter.write(
                wanted.map(\.entry), metadata: metadata, to: directory + "/" + file.name
            ) { (position, sink: inout TensorSink<StoreError>) throws(StoreError) in
                try fill(wanted[position], &sink)
                done += 1
                progress(Progress("tensors", done, assemblies.count))
            }
        }
        for (name, id) in files {
            let bytes = try carrying { () throws(SnapshotError) in
                try snapshot.object(id).payload.copy()
            }
            try reading { () throws(InterchangeError) in
                try writeFile(bytes, to: directory + "/" + name)
            }
        }
    }

    private func fill(
        _ assembly: TensorAssembly, _ sink: inout TensorSink<StoreError>
    ) throws(StoreError) {
        switch assembly.source {
        case .whole:
            guard let entry = stored[assembly.name] else {
                throw StoreError(.corrupt, "tensor \(assembly.name) is missing")
            }
            let object = try carrying { () throws(SnapshotError) in
                try snapshot.object(entry.id)
            }
            try checked(object)
            guard object.header.parts == [entry.shape] else {
                throw StoreError(
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
                    let payload = try carrying { () throws(SnapshotError) in try result.get() }
                    try sink.append(payload.bytes.extracting(range))
                }
            }
        }
    }

    /// Finds the first of some experts on all cores; nil when there are none.
    private static func block(
        _ ordinals: Range<Int>, _ experts: MappedExperts, _ hashes: Bool
    ) -> (found: Background<[Result<MappedBytes, SnapshotError>]>, rest: Range<Int>)? {
        guard !ordinals.isEmpty else { return nil }
        let end = min(ordinals.lowerBound + 4096, ordinals.upperBound)
        let found = Background {
            concurrentMap(end - ordinals.lowerBound, grain: 64) { position in
                expert(ordinals.lowerBound + position, experts, hashes)
            }
        }
        return (found, end..<ordinals.upperBound)
    }

    private static func expert(
        _ ordinal: Int, _ experts: MappedExperts, _ hashes: Bool
    ) -> Result<MappedBytes, SnapshotError> {
        do throws(SnapshotError) {
            let object = try experts.expert(ordinal)
            if hashes {
                do throws(ObjectError) {
                    try object.check()
                } catch {
                    throw SnapshotError(error)
                }
            }
            return .success(object.payload)
        } catch {
            return .failure(error)
        }
    }

    /// Damaged bytes are not given out.
    private func checked(_ object: StoredObject) throws(StoreError) {
        do throws(ObjectError) {
            try object.check()
        } catch {
            throw StoreError(SnapshotError(error))
        }
    }
}
