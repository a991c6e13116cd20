internal import Foundation
internal import Glibc
internal import Synchronization

/// A wrong answer, or a benchmark that cannot run.
package struct Failure: Error, CustomStringConvertible {
    /// What is wrong.
    package let description: String

    /// Takes what is wrong.
    package init(_ description: String) { self.description = description }
}

/// Ends the benchmark when an answer is wrong.
package func expect(_ condition: Bool, _ what: @autoclosure () -> String) throws {
    if !condition { throw Failure(what()) }
}

/// Seconds that `body` takes.
package func seconds<Result>(_ body: () throws -> Result) rethrows -> (Double, Result) {
    let start = ContinuousClock.now
    let result = try body()
    return ((ContinuousClock.now - start) / .seconds(1), result)
}

/// Seconds that this process's threads ran, in the kernel and outside (clock_gettime(2)).
package func ownCPUSeconds() -> Double {
    var time = timespec()
    guard unsafe clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time) == 0 else { return .nan }
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
}

/// Bytes that this process had read from disks (`read_bytes` of proc(5)).
package func bytesRead() throws -> Double {
    try number("read_bytes", in: "/proc/self/io")
}

/// Bytes that this process had written to disks (`write_bytes` of proc(5)).
package func bytesWritten() throws -> Double {
    try number("write_bytes", in: "/proc/self/io")
}

/// A memory figure of this process, in bytes: `RssAnon`, `RssFile`.
package func memory(_ name: String) throws -> Double {
    try number(name, in: "/proc/self/status") * 1024
}

/// Drops a file from the page cache; nobody may have it mapped.
package func evict(_ path: String) throws {
    let descriptor = unsafe Glibc.open(path, O_RDONLY)
    guard descriptor >= 0 else { throw Failure("\(path) cannot be opened") }
    defer { close(descriptor) }
    guard fdatasync(descriptor) == 0, posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED) == 0
    else { throw Failure("\(path) cannot be dropped from the page cache") }
}

/// Bytes of a file that are in the page cache, as fincore(1) tells.
package func cachedBytes(_ path: String) throws -> Double {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/fincore")
    process.arguments = ["--bytes", "--noheadings", "--output", "RES", path]
    let pipe = Pipe()
    process.standardOutput = pipe
    try process.run()
    let output = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    guard let bytes = Double(output.filter(\.isNumber)) else {
        throw Failure("fincore says \(output)")
    }
    return bytes
}

private func number(_ name: String, in path: String) throws -> Double {
    let text = try String(contentsOfFile: path, encoding: .utf8)
    for line in text.split(separator: "\n") where line.hasPrefix(name + ":") {
        let digits = line.drop { !$0.isNumber }.prefix { $0.isNumber }
        if let value = Double(digits) { return value }
    }
    throw Failure("\(path) has no \(name)")
}

/// Bytes that the files of a directory occupy on disk.
package func bytesOnDisk(_ directory: String) throws -> Double {
    var total = 0.0
    let manager = FileManager.default
    for name in try manager.subpathsOfDirectory(atPath: directory) {
        var status = stat()
        guard unsafe lstat(directory + "/" + name, &status) == 0 else { continue }
        total += Double(status.st_blocks) * 512
    }
    return total
}

/// Bytes that the block device under a path has written since the machine started, by any process;
/// nil where the kernel does not tell.
///
/// `write_bytes` counts whole folios of the page cache, of which a commit may have touched one page.
package func deviceBytes(_ path: String) -> Double? {
    var status = stat()
    guard unsafe lstat(path, &status) == 0 else { return nil }
    let (major, minor) = (status.st_dev >> 8 & 0xfff, status.st_dev & 0xff)
    let file = "/sys/dev/block/\(major):\(minor)/stat"
    guard let text = try? String(contentsOfFile: file, encoding: .utf8) else { return nil }
    let fields = text.split { $0 == " " || $0 == "\n" }
    return fields.count > 6 ? Double(fields[6]).map { $0 * 512 } : nil
}

/// The greatest anonymous memory while it runs, looked at every 10 ms.
package final class MemoryPeak: Sendable {
    private let state = Mutex<(peak: Double, isDone: Bool)>((0, false))

    /// Starts looking.
    package init() {
        let thread = Thread { [self] in
            while !state.withLock({ $0.isDone }) {
                if let now = try? memory("RssAnon") {
                    state.withLock { $0.peak = max($0.peak, now) }
                }
                Thread.sleep(forTimeInterval: 0.01)
            }
        }
        thread.start()
    }

    /// The greatest value seen, in bytes.
    package func stop() -> Double {
        state.withLock { state in
            state.isDone = true
            return state.peak
        }
    }
}
