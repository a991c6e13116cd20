package import Elements
internal import Files

/// A checkpoint on disk, opened: its tensors mapped, its side files read.
///
/// One `.safetensors` file, a folder with `model.safetensors`, or a folder whose
/// `model.safetensors.index.json` names the shards. When a folder has both, the single file counts,
/// as for the transformers library, and the index is among ``ignored``. A folder with neither is read by
/// its only `.safetensors` file, if config.json is beside it.
package struct Checkpoint: Sendable {
    /// One safetensors file of the checkpoint.
    package struct File: Sendable {
        /// Its name in the folder.
        package let name: String
        package let content: SafetensorsFile
    }

    package struct Tensor: Sendable {
        package let entry: TensorEntry
        /// The position of its file in ``Checkpoint/files``.
        package let file: Int
        /// Its bytes, in place.
        package let bytes: MappedBytes

        package var name: String { entry.name }
        package var shape: TensorShape { entry.shape }
    }

    /// A small file that is kept byte for byte.
    package struct Auxiliary: Sendable, Hashable {
        package let name: String
        package let content: [UInt8]

        package init(name: String, content: [UInt8]) {
            self.name = name
            self.content = content
        }
    }

    package static let singleFileName = "model.safetensors"
    package static let configName = "config.json"
    /// The files that a model needs beside its tensors and its config.
    package static let auxiliaryNames: Set = [
        "generation_config.json", "mixture.json", "tokenizer.json", "tokenizer_config.json",
        "special_tokens_map.json", "tokenizer.model", "vocab.json", "merges.txt",
        "chat_template.jinja", "chat_template.json", "added_tokens.json",
    ]
    /// The limit on each auxiliary file and on the config.
    package static let greatestAuxiliarySize = 64 << 20

    /// What was opened: a file or a folder.
    package let path: String
    package let isFolder: Bool
    /// In the order of their names.
    package let files: [File]
    /// Every tensor, file by file, in the order of the data.
    package let tensors: [Tensor]
    /// The shard index, for a sharded folder.
    package let index: ShardIndex?
    /// The bytes of `config.json`; nil when there is none, or when a file was opened by itself.
    package let config: [UInt8]?
    /// In the order of their names.
    package let auxiliary: [Auxiliary]
    /// The names of files that the opener knows by their names; see ``record(_:)``.
    package let records: [String]
    /// What else is in the folder and was left alone; folders end in `/`.
    package let ignored: [String]

    private let positions: [String: Int]

    /// Opens what is at `path`; reads headers and side files, not tensors.
    ///
    /// - Parameter isRecord: Whether a file of a folder, by its name, is one of ``records``.
    /// - Throws: `.notFound`, `.notACheckpoint`, `.missingShard`, `.badIndex`, `.missingTensor`,
    ///   `.unlistedTensor`, `.duplicateName`, `.tooLarge`, or what ``SafetensorsFile`` throws.
    package init(opening path: String, isRecord: (String) -> Bool = { _ in false }) throws {
        if Files.isFolder(path) {
            try self.init(folder: path, isRecord)
        } else {
            // A file of another name, as in a download cache, is written back under the usual one.
            let last = path.split(separator: "/").last.map(String.init) ?? path
            let name = last.hasSuffix(".safetensors") ? last : Self.singleFileName
            let file = File(name: name, content: try SafetensorsFile(opening: path))
            try self.init(path: path, files: [file])
        }
    }

    /// The checkpoint that a folder of one file and some small ones would be, of tensors in memory.
    ///
    /// - Parameters:
    ///   - tensors: In any order; their bytes must stay as they are while the checkpoint is used.
    ///   - metadata: Of the file's header.
    ///   - files: config.json and others, which are kept whatever their names.
    ///   - isFolder: Whether it stands for a folder and not for a file alone.
    /// - Throws: `bad-shape`, `duplicate-name`, `unsupported`, `bad-name`, `too-large`.
    package init(
        tensors: [(entry: TensorEntry, bytes: MappedBytes)], metadata: HeaderMetadata? = nil,
        files: [Auxiliary] = [], isFolder: Bool = true
    ) throws {
        let path = "the tensors in memory"
        var names: Set = [Self.singleFileName, ShardIndex.fileName]
        for file in files {
            guard names.insert(file.name).inserted else {
                throw CambiumError(
                    .badName,
                    "a file beside tensors in memory cannot be named \(quoted(file.name)): that is taken"
                )
            }
            if let reason = reasonToRefuse(fileName: file.name) {
                throw CambiumError(.badName, "the file name \(quoted(file.name)) \(reason)")
            }
            guard file.content.count <= Self.greatestAuxiliarySize else {
                throw CambiumError(
                    .tooLarge,
                    "\(file.name) has \(file.content.count) bytes; files beside a model have at most "
                        + "\(Self.greatestAuxiliarySize)")
            }
        }
        let content = try SafetensorsFile(tensors, metadata: metadata, name: path)
        try self.init(
            path: path, isFolder: isFolder,
            files: [File(name: Self.singleFileName, content: content)],
            config: files.first { $0.name == Self.configName }?.content,
            auxiliary: files.filter { $0.name != Self.configName }
                .sorted { isBefore($0.name, $1.name) })
    }

    private init(folder path: String, _ isRecord: (String) -> Bool) throws {
        let entries = try folderEntries(path)
        let index: ShardIndex?
        let names: [String]
        if entries.contains(Self.singleFileName) {
            index = nil
            names = [Self.singleFileName]
        } else if entries.contains(ShardIndex.fileName) {
            let indexPath = "\(path)/\(ShardIndex.fileName)"
            let content = try readFile(indexPath, limit: SafetensorsHeader.greatestLength)
            let parsed = try ShardIndex(parsing: content, path: indexPath)
            index = parsed
            names = parsed.files
        } else if let name = Self.onlyFile(entries) {
            index = nil
            names = [name]
        } else {
            throw Self.noCheckpoint(path, entries)
        }
        var files: [File] = []
        for name in names {
            guard index == nil || entries.contains(name) else {
                throw CambiumError(
                    .missingShard,
                    "\(path) lacks \(name), which its index lists (\(names.count) shards in all): "
                        + "copy or download it again")
            }
            files.append(File(name: name, content: try SafetensorsFile(opening: "\(path)/\(name)")))
        }
        var kept = Set(names)
        var config: [UInt8]?
        var auxiliary: [Auxiliary] = []
        for file in try Self.auxiliary(of: entries, in: path) {
            kept.insert(file.name)
            if file.name == Self.configName {
                config = file.content
            } else {
                auxiliary.append(file)
            }
        }
        let records = entries.filter { !kept.contains($0) && isRecord($0) }
        kept.formUnion(records)
        if index != nil { kept.insert(ShardIndex.fileName) }
        try self.init(
            path: path, isFolder: true, files: files, index: index, config: config,
            auxiliary: auxiliary,
            records: records, ignored: entries.filter { !kept.contains($0) })
    }

    init(
        path: String, isFolder: Bool = false, files: [File], index: ShardIndex? = nil,
        config: [UInt8]? = nil,
        auxiliary: [Auxiliary] = [], records: [String] = [], ignored: [String] = []
    ) throws {
        var tensors: [Tensor] = []
        for (number, file) in files.enumerated() {
            for (position, tensor) in file.content.header.tensors.enumerated() {
                tensors.append(
                    Tensor(
                        entry: TensorEntry(tensor.name, tensor.shape), file: number,
                        bytes: file.content.bytes(of: position)))
            }
        }
        try index?.check(tensors.map { ($0.name, $0.file) }, path: path)
        var positions: [String: Int] = [:]
        positions.reserveCapacity(tensors.count)
        for (position, tensor) in tensors.enumerated() { positions[tensor.name] = position }
        self.path = path
        self.isFolder = isFolder
        self.files = files
        self.tensors = tensors
        self.index = index
        self.config = config
        self.auxiliary = auxiliary
        self.records = records
        self.ignored = ignored
        self.positions = positions
    }

    /// The tensor of that name, or nil.
    package func tensor(named name: String) -> Tensor? {
        positions[name].map { tensors[$0] }
    }

    /// See ``SafetensorsFile/checkUnchanged()``; call it when all that is needed has been read.
    package func checkUnchanged() throws {
        for file in files { try file.content.checkUnchanged() }
    }

    /// Reads one of ``records``.
    ///
    /// - Throws: `.notFound`, `.unsupported`, `.changed` or `.io`.
    package func record(_ name: String) throws -> [UInt8] {
        try readFile("\(path)/\(name)", limit: .max)
    }

    /// config.json and the auxiliary files in the folder of a file that is opened by itself.
    ///
    /// - Throws: `.notFound`, `.unsupported`, `.tooLarge`, `.changed` or `.io`.
    package static func auxiliary(beside file: String) throws -> [Auxiliary] {
        let folder = file.lastIndex(of: "/").map { String(file[...$0]) } ?? "./"
        return try auxiliary(of: folderEntries(folder), in: folder)
    }

    private static func auxiliary(of entries: [String], in folder: String) throws -> [Auxiliary] {
        var files: [Auxiliary] = []
        for entry in entries where entry == configName || auxiliaryNames.contains(entry) {
            let content = try readFile("\(folder)/\(entry)", limit: greatestAuxiliarySize)
            files.append(Auxiliary(name: entry, content: content))
        }
        return files
    }

    /// The file that is the model of a folder without a standard name, as an export writes one that was
    /// committed by itself.
    private static func onlyFile(_ entries: [String]) -> String? {
        let files = entries.filter { $0.hasSuffix(".safetensors") }
        guard files.count == 1, entries.contains(configName), !CheckpointFolder.isShard(files[0])
        else { return nil }
        return files[0]
    }

    private static func noCheckpoint(_ path: String, _ entries: [String]) -> CambiumError {
        let others = entries.filter { $0.hasSuffix(".safetensors") }
        let advice =
            if entries.contains("adapter_config.json") {
                "it is a LoRA adapter of peft: merge it into its model first (merge_and_unload, "
                    + "save_pretrained) and commit that"
            } else if let other = others.first {
                "it has \(others.count == 1 ? "" : "among others ")\(other): name that file itself"
            } else if entries.contains(where: { $0.hasSuffix(".bin") || $0.hasSuffix(".pt") }) {
                "it has tensors in PyTorch's pickle form: save them as safetensors first"
            } else if let file = entries.first(where: { $0.hasSuffix(".gguf") }) {
                "it has \(file), a file of llama.cpp: commit the safetensors that it was converted from"
            } else {
                "name a .safetensors file or the folder of one"
            }
        return CambiumError(
            .notACheckpoint,
            "\(path) has neither \(singleFileName) nor \(ShardIndex.fileName); \(advice)")
    }
}
