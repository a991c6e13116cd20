internal import Elements
internal import Glibc

/// The names in a directory, sorted by bytes, without `.` and `..`.
package func directoryContents(_ path: String) throws -> [String] {
    try names(in: path) { storeError("list", path, $0) }.sorted(by: isBefore)
}

/// The entries of a directory, sorted; folders end in `/`.
///
/// - Throws: `.notFound`, or `.io`.
package func folderEntries(_ path: String) throws -> [String] {
    try names(in: path) { systemError("list", path, $0) }
        .map { isFolder("\(path)/\($0)") ? $0 + "/" : $0 }.sorted(by: isBefore)
}

private func names(in path: String, _ failure: (Int32) -> CambiumError) throws -> [String] {
    guard let directory = unsafe opendir(path) else { throw failure(errno) }
    return try unsafe entries(of: directory, failure).map(\.name)
}

/// What readdir(3) tells of a directory, which is closed; without `.` and `..`.
@unsafe func entries(
    of directory: OpaquePointer, _ failure: (Int32) -> CambiumError
) throws -> [(name: String, type: UInt8)] {
    defer { unsafe closedir(directory) }
    var entries: [(name: String, type: UInt8)] = []
    while true {
        // readdir(3) tells the end from a failure by errno alone; a list that is cut short would be taken for
        // a whole one.
        errno = 0
        guard let entry = unsafe readdir(directory) else {
            guard errno == 0 else { throw failure(errno) }
            return entries
        }
        let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
            unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        if name != "." && name != ".." { entries.append((name, unsafe entry.pointee.d_type)) }
    }
}

/// Whether a directory is at `path`, links followed.
package func isFolder(_ path: String) -> Bool {
    var status = stat()
    return unsafe stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
}

/// The whole of a regular file.
///
/// - Throws: `.notFound`, `.unsupported`, `.io`, or `.tooLarge` for more than `limit` bytes.
package func readFile(_ path: String, limit: Int) throws -> [UInt8] {
    let file = try MappedFile(path: path)
    guard file.count <= limit else {
        throw CambiumError(
            .tooLarge,
            "\(path) is \(file.count) bytes long, but at most \(limit) are kept of such a file; "
                + "move it out of the folder to go on without it")
    }
    let content = file.bytes.copy()
    try file.checkUnchanged()
    return content
}
