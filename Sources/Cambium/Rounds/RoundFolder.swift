internal import Elements
internal import Files
internal import FoundationEssentials

/// The folder of a store that is made for a round, and that is gone when the round cannot begin.
enum RoundFolder {
    /// The file that says which round made it.
    private static let keyFile = "round.key"

    /// Makes a folder that is not there, and fills it; when that fails, removes it.
    ///
    /// - Parameters:
    ///   - key: Names the round: what the same one left when its machine stopped is removed before.
    ///   - fill: Runs when the folder is there, and has the key.
    /// - Throws: `exists` for anything else that is there, which stays as it is.
    static func make<Result>(
        _ path: String, key: String? = nil, _ fill: () throws -> Result
    ) throws -> Result {
        try clear(path, key)
        try makeNewDirectory(path)
        do {
            // Before anything that takes time: whoever is killed meanwhile can begin anew.
            if let key {
                try Data(key.utf8).write(to: URL(filePath: path).appending(path: keyFile))
            }
            return try fill()
        } catch {
            try? FileManager.default.removeItem(atPath: path)
            throw error
        }
    }

    private static func clear(_ path: String, _ key: String?) throws {
        guard FileManager.default.fileExists(atPath: path) else { return }
        guard let key,
            FileManager.default.contents(atPath: "\(path)/\(keyFile)") == Data(key.utf8)
        else {
            throw CambiumError(
                .exists, "\(path) is there already, and not of this round; name another folder")
        }
        try FileManager.default.removeItem(atPath: path)
    }
}
