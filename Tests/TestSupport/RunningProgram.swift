internal import CFaults
internal import Glibc

/// A program that a test started.
///
/// Not Foundation's `Process`: each of its runs leaves a socket open here, and with some 1,300 open files it reads
/// beyond an entry of `/proc/self/fd` (swift-corelibs-foundation, `findMaximumOpenFromProcSelfFD`), which ended a run of
/// all tests.
@safe package final class RunningProgram {
    /// How it ended.
    package struct End: Sendable {
        /// Its exit status; of one that a signal ended, the signal's number.
        package let status: Int32
        /// Whether a signal ended it.
        package let wasKilled: Bool
    }

    package struct Failure: Error {
        package let message: String
    }

    /// A stream of its own: 0 to 2.
    package enum Stream {
        /// This program's.
        case shared
        /// A file, read from its begin or written anew.
        case file(String)
        /// A descriptor of this program's.
        case descriptor(Int32)
    }

    package let id: Int32
    private var end: End?

    /// Starts a program in a process group of its own, with no other open files and no blocked signals.
    ///
    /// - Parameters:
    ///   - path: Of the program, or a name that is looked for in PATH.
    ///   - environment: Nil for this program's.
    ///   - directory: Its current one; nil for this program's.
    package init(
        _ path: String, _ arguments: [String], environment: [String: String]? = nil,
        directory: String? = nil, input: Stream = .file("/dev/null"), output: Stream = .shared,
        errors: Stream = .shared
    ) throws {
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        for (number, stream) in [(Int32(0), input), (1, output), (2, errors)] {
            switch stream {
            case .shared: break
            case .file(let path):
                let flags = number == 0 ? O_RDONLY : O_WRONLY | O_CREAT | O_TRUNC
                unsafe posix_spawn_file_actions_addopen(&actions, number, path, flags, 0o666)
            case .descriptor(let other):
                unsafe posix_spawn_file_actions_adddup2(&actions, other, number)
            }
        }
        unsafe cambium_spawn_prepare(&actions, directory)
        var attributes = posix_spawnattr_t()
        unsafe posix_spawnattr_init(&attributes)
        defer { unsafe posix_spawnattr_destroy(&attributes) }
        var (none, all) = (sigset_t(), sigset_t())
        unsafe sigemptyset(&none)
        unsafe sigfillset(&all)
        unsafe posix_spawnattr_setsigmask(&attributes, &none)
        unsafe posix_spawnattr_setsigdefault(&attributes, &all)
        unsafe posix_spawnattr_setpgroup(&attributes, 0)
        unsafe posix_spawnattr_setflags(
            &attributes,
            Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
        var id = pid_t()
        let words = unsafe ([path] + arguments).map { unsafe strdup($0) }
        let variables = unsafe environment?.map { unsafe strdup("\($0.key)=\($0.value)") }
        defer { unsafe (words + (variables ?? [])).forEach { unsafe free($0) } }
        let code =
            if let variables = unsafe variables {
                unsafe posix_spawnp(
                    &id, path, &actions, &attributes, words + [nil], variables + [nil])
            } else {
                unsafe posix_spawnp(&id, path, &actions, &attributes, words + [nil], environ)
            }
        guard code == 0 else {
            throw unsafe Failure(message: "\(path): \(String(cString: strerror(code)))")
        }
        self.id = id
    }

    /// Whether it has not ended yet.
    package var isRunning: Bool { look(WNOHANG) == nil }

    /// Waits for its end.
    @discardableResult
    package func wait() -> End {
        guard let end = look(0) else { preconditionFailure("process \(id) cannot be waited for") }
        return end
    }

    /// Sends a signal, unless it has ended.
    package func send(_ signal: Int32) {
        if isRunning { kill(id, signal) }
    }

    private func look(_ flags: Int32) -> End? {
        if let end { return end }
        var status: Int32 = 0
        var found: pid_t
        repeat { found = unsafe waitpid(id, &status, flags) } while found < 0 && errno == EINTR
        guard found == id else { return nil }
        // The macros of wait(2): the signal's number in the low bits, else the status above them.
        let signal = status & 0x7F
        end = End(status: signal == 0 ? (status >> 8) & 0xFF : signal, wasKilled: signal != 0)
        return end
    }
}

/// A pipe of a test, whose ends close with it.
package final class TestPipe {
    package let reading: Int32
    private var writing: Int32

    package init() throws {
        var ends: [Int32] = [-1, -1]
        guard unsafe pipe(&ends) == 0 else {
            throw RunningProgram.Failure(message: "no pipe can be made")
        }
        (reading, writing) = (ends[0], ends[1])
    }

    deinit {
        close(reading)
        closeWriting()
    }

    /// For the program that writes.
    package var stream: RunningProgram.Stream { .descriptor(writing) }

    /// Closes this program's end, once another has its own.
    package func closeWriting() {
        if writing >= 0 { close(writing) }
        writing = -1
    }

    /// Reads up to the end of a line, which is left out, or to the end.
    package func line() -> String {
        var bytes: [UInt8] = []
        while let byte = next(), byte != 10 { bytes.append(byte) }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Reads all that is left.
    package func rest() -> String {
        var bytes: [UInt8] = []
        while let byte = next() { bytes.append(byte) }
        return String(decoding: bytes, as: UTF8.self)
    }

    private func next() -> UInt8? {
        var byte: UInt8 = 0
        var count: Int
        repeat { count = unsafe read(reading, &byte, 1) } while count < 0 && errno == EINTR
        return count == 1 ? byte : nil
    }
}
