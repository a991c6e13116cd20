internal import Elements
package import Files
internal import Glibc

/// A folder that a checkpoint is written into, with what is in it before.
package struct CheckpointFolder {
    package let path: String
    /// Folders end in `/`.
    private let entries: Set<String>

    /// Names that a reader looks for to find the tensors, the transformers library in this order.
    ///
    /// An adapter's config makes it load another model altogether.
    private static let entryPoints = [
        "adapter_config.json", Checkpoint.singleFileName, ShardIndex.fileName,
    ]
    /// What it takes when there is none of them.
    private static let pickles = ["pytorch_model.bin", "pytorch_model.bin.index.json"]

    /// Lists a folder; a missing one is empty.
    ///
    /// - Throws: `.io`, or `.notFound` for a path that leads through a file.
    package init(_ path: String) throws {
        self.path = path
        do {
            entries = Set(try folderEntries(path))
        } catch let error as CambiumError {
            guard error.code == .notFound, !isFile(path) else { throw error }
            entries = []
        }
    }

    /// Refuses a folder that no checkpoint is to be written into.
    ///
    /// - Throws: `usage`.
    package static func checkPath(_ path: String) throws {
        guard !path.isEmpty else { throw CambiumError(.usage, "the folder's path is empty") }
        guard !fileExists(path + "/data.mdb") else {
            throw CambiumError(
                .usage, "\(path) is a store: name a folder of its own for the checkpoint")
        }
    }

    /// Refuses to write with something in the way.
    ///
    /// - Throws: `exists`.
    func checkFree(_ names: [String], _ strays: [String], overwrite: Bool) throws {
        if let name = folders(names).first {
            throw CambiumError(.exists, "\(path)/\(name) is a folder; export to another folder")
        }
        guard !overwrite else { return }
        if let name = taken(names).first {
            throw CambiumError(.exists, "\(path)/\(name) exists already; --force replaces it")
        }
        guard strays.isEmpty else {
            throw CambiumError(
                .exists,
                "\(path) has files of another checkpoint, which a reader would take for this one's: "
                    + "\(strays.joined(separator: ", ")); --force removes them")
        }
    }

    /// Those of the names that are taken.
    package func taken(_ names: [String]) -> [String] { names.filter { entries.contains($0) } }

    /// Those of the names that are folders, which no file can replace.
    package func folders(_ names: [String]) -> [String] {
        names.filter { entries.contains($0 + "/") }
    }

    /// Files of another model that a reader would take for parts of a checkpoint of the files `names`, or read
    /// in its place.
    ///
    /// - Parameter isRecord: See ``Checkpoint/init(opening:isRecord:)``.
    package func strays(beside names: [String], isRecord: (String) -> Bool) -> [String] {
        let written = Set(names)
        let shards = Set(oldShards)
        let isStandard = names.contains { Self.entryPoints.contains($0) }
        return entries.filter { entry in
            !written.contains(entry)
                && (entry == Checkpoint.configName || Checkpoint.auxiliaryNames.contains(entry)
                    || Self.entryPoints.contains(entry) || shards.contains(entry)
                    || Self.isShard(entry) || isRecord(entry)
                    || !isStandard && Self.pickles.contains(entry))
        }.sorted()
    }

    /// Gives complete files their names, in the place of what is there.
    ///
    /// The names that readers begin with go first and come last: a process that dies in between leaves a folder
    /// without a checkpoint, never a mixture of two.
    ///
    /// - Throws: `.io` or the like; the folder may be without a checkpoint then.
    package func replace(by files: [StagedFile], removing strays: [String]) throws {
        try TemporaryFiles.whole {
            try place(files, removing: strays)
        }
    }

    private func place(_ files: [StagedFile], removing strays: [String]) throws {
        // A config makes a folder's only file of tensors a model, so it counts among them.
        let order = [Checkpoint.configName] + Self.pickles + Self.entryPoints
        func rank(_ name: String) -> Int? { order.firstIndex(of: name) }
        func rank(_ file: StagedFile) -> Int? {
            rank(String(file.target.dropFirst(path.count + 1)))
        }
        let entering = files.filter { rank($0) != nil }
            .sorted { (rank($0) ?? 0) < (rank($1) ?? 0) }
        let leaving = order.filter { name in
            strays.contains(name)
                || entries.contains(name) && entering.contains { rank($0) == rank(name) }
        }
        for name in leaving.reversed() { try remove(name) }
        if !leaving.isEmpty { try syncFolder(path, isStores: false) }
        for name in strays where rank(name) == nil { try remove(name) }
        for file in files where rank(file) == nil { try file.publish() }
        try syncFolder(path, isStores: false)
        for file in entering { try file.publish() }
        try syncFolder(path, isStores: false)
    }

    /// The shards that an index lists which is there.
    private var oldShards: [String] {
        guard entries.contains(ShardIndex.fileName),
            let content = try? readFile(
                "\(path)/\(ShardIndex.fileName)", limit: SafetensorsHeader.greatestLength),
            let index = try? ShardIndex(parsing: content, path: path)
        else { return [] }
        return index.files
    }

    /// Whether a name is that of a shard as the transformers library writes it: `model-00001-of-00002.safetensors`.
    static func isShard(_ name: String) -> Bool {
        let start = "model-"
        let end = ".safetensors"
        guard name.hasPrefix(start), name.hasSuffix(end),
            name.utf8.count > start.utf8.count + end.utf8.count
        else { return false }
        let parts = name.dropFirst(start.count).dropLast(end.count).split(
            separator: "-", omittingEmptySubsequences: false)
        func isNumber(_ text: Substring) -> Bool {
            text.utf8.count == 5 && text.utf8.allSatisfy { (0x30...0x39).contains($0) }
        }
        return parts.count == 3 && isNumber(parts[0]) && parts[1] == "of" && isNumber(parts[2])
    }

    private func remove(_ name: String) throws {
        let file = "\(path)/\(name)"
        try check("remove", file) { unsafe unlink(file) }
    }
}

/// Whether something that is no folder is at `path`.
private func isFile(_ path: String) -> Bool {
    var status = stat()
    return unsafe stat(path, &status) == 0 && status.st_mode & S_IFMT != S_IFDIR
}
