internal import Elements
internal import Files
internal import Glibc

/// Copies by hard links (`cp -al`, rsync's --link-dest) share their files with the original: what is written
/// to one is written to both, and two stores that share a lock file but no data destroy each other.
extension Environment {
    /// Refuses to write to a file that has another name.
    ///
    /// - Throws: `.hardLinked`.
    static func checkUnshared(_ directory: String) throws {
        let path = directory + "/data.mdb"
        guard let status = try fileStatus(path), status.st_nlink > 1 else { return }
        throw CambiumError(
            .hardLinked,
            "\(path) has \(status.st_nlink) names: a copy made of hard links (cp -al) shares it, and a write "
                + "would change both. Give this store a file of its own: `cambium repack -C \(directory)`"
        )
    }
}

/// Whether a store's file is shared with another store by a hard link.
package func isHardLinked(_ path: String) throws -> Bool {
    try (fileStatus(path)?.st_nlink ?? 1) > 1
}
