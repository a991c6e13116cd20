internal import Elements
internal import Files
package import Snapshots

extension SnapshotStore {
    /// Removes the checkpoints that rounds of earlier versions wrote beside the stopped rounds and, killed, left
    /// behind, unless a live one is at work: it holds the lock, shared.
    package func removeStaleRoundFolders() throws {
        let lockPath = roundDirectory + "/new.lock"
        guard fileExists(roundDirectory) else { return }
        do {
            let alone = try FileLock(path: lockPath, .exclusive, wait: false)
            for name in try directoryContents(roundDirectory) where Self.isStale(name) {
                Self.removeCheckpoint(roundDirectory + "/" + name)
            }
            _ = alone
        } catch let error as CambiumError where error.code == .busy {}
    }

    /// Whether a name is one that those folders had: the prefix and a number without leading zeros.
    private static func isStale(_ name: String) -> Bool {
        guard name.hasPrefix("new."), let number = UInt64(name.dropFirst(4)) else { return false }
        return name == "new.\(number)"
    }

    /// Removes the files that such a checkpoint consisted of, and the folder once it is empty.
    private static func removeCheckpoint(_ path: String) {
        // A link may lead into somebody's own checkpoint.
        guard isDirectoryItself(path) else { return }
        for name in (try? directoryContents(path)) ?? []
        where ["config.json", "model.safetensors"].contains(name)
            || name.hasPrefix(".cambium-") && name.hasSuffix(".tmp")
        { try? removeFile(path + "/" + name) }
        try? removeDirectory(path)
    }
}
