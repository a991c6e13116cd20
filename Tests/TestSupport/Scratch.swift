internal import Glibc

/// Runs `body` with the path of a new, empty directory, which is removed afterwards.
package func withScratchDirectory<Result>(
    in parent: String = scratchRoot(), _ body: (String) throws -> Result
) throws -> Result {
    let path = try makeScratchDirectory(in: parent)
    defer { removeTree(path) }
    return try body(path)
}

/// Where scratch directories go: `TMPDIR`, a roomy memory disk, or `/tmp`.
///
/// A process that is killed leaves the same file on any of them; on a memory disk the tests do not
/// wait for the real disk at each of thousands of commits.
package func scratchRoot() -> String {
    if let value = unsafe getenv("TMPDIR") { return unsafe String(cString: value) }
    var status = statvfs()
    if unsafe statvfs("/dev/shm", &status) == 0, unsafe access("/dev/shm", W_OK) == 0,
        status.f_bavail * status.f_frsize > 1 << 30
    {
        return "/dev/shm"
    }
    return "/tmp"
}

/// Makes a new directory; the caller removes it with ``removeTree(_:)``.
package func makeScratchDirectory(in parent: String = scratchRoot()) throws -> String {
    var template = Array("\(parent)/cambium-XXXXXX".utf8CString)
    let made = unsafe template.withUnsafeMutableBufferPointer { buffer in
        guard let start = buffer.baseAddress else { return false }
        return unsafe mkdtemp(start) != nil
    }
    guard made else { throw ScratchError(what: "mkdtemp in \(parent)", number: errno) }
    return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

/// Removes a file or a directory with all that is in it; what is not there is fine.
package func removeTree(_ path: String) {
    if unsafe unlink(path) == 0 || errno == ENOENT { return }
    for name in (try? listDirectory(path)) ?? [] { removeTree(path + "/" + name) }
    unsafe rmdir(path)
}

/// The names in a directory, sorted.
package func listDirectory(_ path: String) throws -> [String] {
    guard let directory = unsafe opendir(path) else {
        throw ScratchError(what: "opendir \(path)", number: errno)
    }
    defer { unsafe closedir(directory) }
    var names: [String] = []
    while let entry = unsafe readdir(directory) {
        let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) {
            unsafe String(cString: UnsafeRawPointer($0).assumingMemoryBound(to: CChar.self))
        }
        if name != "." && name != ".." { names.append(name) }
    }
    return names.sorted()
}

/// A system call of the test itself failed.
package struct ScratchError: Error, CustomStringConvertible {
    package let what: String
    package let number: Int32

    package var description: String {
        unsafe "\(what): \(String(cString: strerror(number)))"
    }
}
