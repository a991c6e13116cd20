internal import Checkpoints
internal import Files

/// A folder below `training` for a checkpoint on its way into the store; removed when it is there.
///
/// A process that dies leaves its folder behind. Whoever makes one holds `training/new.lock`, shared, as
/// long as it lives, so who gets that lock alone knows that every folder there is was left behind.
struct TrainingFolder: ~Copyable {
    private static let prefix = "new."

    let path: String
    private let lock: FileLock

    var weights: String { path + "/model.safetensors" }
    var config: String { path + "/" + Checkpoint.configName }

    /// Makes a new folder, and removes those that dead processes left behind.
    init(in store: Store) throws {
        let directory = store.trainingDirectory
        let path = "\(directory)/\(Self.prefix)\(UInt64.random(in: 0 ... .max))"
        lock = try Self.make(path, in: directory)
        self.path = path
    }

    private static func make(
        _ path: String, in directory: String
    ) throws -> FileLock {
        try makeStoreFolder(directory)
        try removeStale(in: directory)
        let lock = try FileLock(path: directory + "/new.lock", .shared, wait: true)
        try makeNewDirectory(path)
        return lock
    }

    /// Removes what was written; what cannot be removed goes with the next folder.
    func remove() { Self.remove(path) }

    /// Removes the folders that dead processes left behind, unless a live one is at work.
    static func removeStale(in directory: String) throws {
        guard fileExists(directory) else { return }
        do {
            let alone = try FileLock(path: directory + "/new.lock", .exclusive, wait: false)
            for name in try directoryContents(directory) where isOurs(name) {
                remove(directory + "/" + name)
            }
            _ = alone
        } catch let error as CambiumError where error.code == .busy {}
    }

    /// Whether a name is one that this type gives: the prefix and a number without leading zeros.
    private static func isOurs(_ name: String) -> Bool {
        guard name.hasPrefix(prefix), let number = UInt64(name.dropFirst(prefix.count)) else {
            return false
        }
        return name == "\(prefix)\(number)"
    }

    /// Removes the files that a checkpoint on its way consists of, and the folder once it is empty.
    private static func remove(_ path: String) {
        // A link may lead into somebody's own checkpoint.
        guard isDirectoryItself(path) else { return }
        for name in (try? directoryContents(path)) ?? [] where isPart(name) {
            try? removeFile(path + "/" + name)
        }
        try? removeDirectory(path)
    }

    private static func isPart(_ name: String) -> Bool {
        name == Checkpoint.configName || name == "model.safetensors"
            || name.hasPrefix(".cambium-") && name.hasSuffix(".tmp")
    }
}
