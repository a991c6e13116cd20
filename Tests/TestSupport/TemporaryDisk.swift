internal import Glibc

/// A small file system of its own (tmpfs); needs root.
package struct TemporaryDisk {
    package let path: String

    /// Tries for a while: a child that another test just forked may still hold copies of
    /// descriptors that are closed here.
    package func remountReadOnly() throws {
        for _ in 0..<100_000 {
            let flags = UInt(MS_REMOUNT | MS_RDONLY)
            if unsafe mount("tmpfs", path, "tmpfs", flags, nil) == 0 { return }
            guard errno == EBUSY else { break }
            sched_yield()
        }
        throw ScratchError(what: "remount \(path)", number: errno)
    }
}

// Values of <sys/mount.h>, which Glibc's module gives as an enumeration.
private let MS_RDONLY = 1
private let MS_REMOUNT = 32

/// Whether this process may mount a tmpfs: tried once.
package let canMount: Bool = {
    (try? withTemporaryDisk(megabytes: 1) { _ in }) != nil
}()

/// Runs `body` with a new tmpfs of the given size.
package func withTemporaryDisk<Result>(
    megabytes: Int, _ body: (TemporaryDisk) throws -> Result
) throws -> Result {
    try withScratchDirectory { path in
        let options = "size=\(megabytes)m"
        guard
            unsafe options.withCString({ unsafe mount("tmpfs", path, "tmpfs", 0, $0) }) == 0
        else { throw ScratchError(what: "mount tmpfs at \(path)", number: errno) }
        // Detached lazily: an environment may still be closing.
        defer { unsafe umount2(path, 2) }
        return try body(TemporaryDisk(path: path))
    }
}

/// Writes zeros to a new file until the disk is full.
package func fill(_ path: String) throws {
    let file = unsafe open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o666)
    guard file >= 0 else { throw ScratchError(what: "create \(path)", number: errno) }
    defer { close(file) }
    let zeros = [UInt8](repeating: 0, count: 4096)
    while unsafe zeros.withUnsafeBytes({ unsafe write(file, $0.baseAddress, 4096) }) > 0 {}
}
