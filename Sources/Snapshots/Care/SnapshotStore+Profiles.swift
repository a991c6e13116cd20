internal import Files
package import Objects

extension SnapshotStore {
    private var profileDirectory: String { directory + "/profiles" }

    private func profilePath(_ commit: ObjectID) -> String { "\(profileDirectory)/\(commit.hex)" }

    /// Keeps the usage profile of a commit beside the data; an earlier one is replaced.
    ///
    /// - Returns: Its file.
    package func keepProfile(_ bytes: [UInt8], of commit: ObjectID) throws -> String {
        try makeStoreFolder(profileDirectory)
        try writeFile(bytes, to: profilePath(commit))
        return profilePath(commit)
    }

    /// The usage profile of a commit, or nil when there is none, or none that can be read: it only
    /// makes a start faster.
    package func profile(of commit: ObjectID) -> [UInt8]? {
        let path = profilePath(commit)
        return fileExists(path) ? try? readStoreFile(path, limit: 1 << 30) : nil
    }

    /// Removes the profiles of commits that are gone.
    package func removeStaleProfiles() throws {
        guard fileExists(profileDirectory) else { return }
        try checkStoreFolder(profileDirectory)
        for name in try directoryContents(profileDirectory) {
            let path = "\(profileDirectory)/\(name)"
            // What has no profile's name, or is no file, is not ours.
            guard let id = ObjectID(hex: name), id.hex == name, isRegularFile(path) else {
                continue
            }
            // A commit that cannot be read has no use for its profile, which can be made again.
            if (try? commit(id)) == nil { try removeFile(path) }
        }
    }
}
