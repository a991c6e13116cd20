internal import Cambium
internal import Glibc

/// The process's streams and environment: every system call of the command line is here.
enum Terminal {
    /// Standard output or standard error.
    enum Stream: Int32 {
        case output = 1
        case error = 2
    }

    /// The value of an environment variable; nil when it is not set or empty.
    static func variable(_ name: String) -> String? {
        guard let value = unsafe getenv(name) else { return nil }
        let text = unsafe String(cString: value)
        return text.isEmpty ? nil : text
    }

    /// Sets an environment variable of this process and what it starts.
    ///
    /// Only before the process has threads: setenv(3) is not safe beside getenv(3).
    static func setVariable(_ name: String, _ value: String) {
        _ = unsafe setenv(name, value, 1)
    }

    /// Whether a person reads the stream.
    static func isTerminal(_ stream: Stream) -> Bool { isatty(stream.rawValue) == 1 }

    /// The position of the first argument that is not UTF-8, from 1; nil when all are.
    ///
    /// `CommandLine.arguments` repairs such an argument, which makes another text of it.
    static var unreadableArgument: Int? {
        (1..<max(1, Int(CommandLine.argc))).first { position in
            guard let word = unsafe CommandLine.unsafeArgv[position] else { return false }
            return unsafe String(validatingCString: word) == nil
        }
    }

    /// Columns of the terminal behind a stream; 80 when there is none.
    static func width(_ stream: Stream) -> Int {
        var size = winsize()
        guard unsafe ioctl(stream.rawValue, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else {
            return 80
        }
        return Int(size.ws_col)
    }

    /// Rows of the terminal behind standard output; 24 when there is none.
    static var height: Int {
        var size = winsize()
        guard unsafe ioctl(Stream.output.rawValue, UInt(TIOCGWINSZ), &size) == 0, size.ws_row > 0
        else { return 24 }
        return Int(size.ws_row)
    }

    /// Processors that are online.
    static var processors: Int { max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))) }

    /// The current directory, or "." when it has no name.
    static var directory: String {
        guard let path = unsafe getcwd(nil, 0) else { return "." }
        defer { unsafe free(path) }
        return unsafe String(cString: path)
    }

    /// Writes all bytes, or ends the process when nobody reads them any more.
    ///
    /// A reader that went away (`| head`) is not a mistake: the process ends as SIGPIPE would have
    /// ended it, and says nothing. Any other failure, such as a full disk, is said.
    ///
    /// - Parameter made: What was done already, and stays done; said when the bytes cannot be written.
    static func write(_ bytes: [UInt8], to stream: Stream, made: String? = nil) {
        var start = 0
        while start < bytes.count {
            let count = unsafe bytes.withUnsafeBytes { buffer in
                unsafe Glibc.write(
                    stream.rawValue, buffer.baseAddress.map { unsafe $0 + start },
                    buffer.count - start)
            }
            if count >= 0 {
                start += count
            } else if errno == EPIPE {
                if let made { tell("note: \(made); nobody reads standard output any more") }
                exit(128 + SIGPIPE)
            } else if errno != EINTR && errno != EAGAIN {
                // Words that nobody can read end no work: the exit status tells how it went.
                guard stream == .output, !isOutputUnwanted else { return }
                tell(outputFailure + (made.map { "; \($0)" } ?? ""))
                exit(ExitStatus.failure.rawValue)
            }
        }
    }

    /// Writes text; control characters in it are spelled out (``VisibleText``).
    static func write(_ text: String, to stream: Stream, made: String? = nil) {
        write(Array(VisibleText.of(text).utf8), to: stream, made: made)
    }

    /// Goes to the beginning of a terminal's line and empties it.
    static func clearLine(_ stream: Stream) { write(Array("\r\u{1B}[K".utf8), to: stream) }

    private static var outputFailure: String {
        unsafe "error: standard output cannot be written: \(String(cString: strerror(errno)))"
    }
}

extension Terminal {
    /// A pipe for bytes from a signal's handler; nil when none can be made.
    static func pipe() -> (read: Int32, write: Int32)? {
        var ends: [Int32] = [-1, -1]
        guard unsafe Glibc.pipe(&ends) == 0 else { return nil }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        return (ends[0], ends[1])
    }

    /// Writes one byte; may be called by a signal's handler.
    static func put(_ byte: UInt8, into descriptor: Int32) {
        var byte = byte
        _ = unsafe Glibc.write(descriptor, &byte, 1)
    }

    /// Waits for one byte; nil at the end.
    static func next(from descriptor: Int32) -> UInt8? {
        var byte: UInt8 = 0
        while true {
            let count = unsafe Glibc.read(descriptor, &byte, 1)
            if count == 1 { return byte }
            if count == 0 || errno != EINTR { return nil }
        }
    }

    /// Waits.
    static func sleep(seconds: Int) { Glibc.sleep(UInt32(seconds)) }

    /// The path of this program.
    static var program: String {
        var bytes = [UInt8](repeating: 0, count: 4_096)
        let count = unsafe bytes.withUnsafeMutableBytes { buffer in
            unsafe buffer.withMemoryRebound(to: CChar.self) {
                unsafe $0.baseAddress.map { unsafe readlink("/proc/self/exe", $0, 4_096) } ?? 0
            }
        }
        return count > 0 ? String(decoding: bytes[..<count], as: UTF8.self) : "cambium"
    }

    /// Writes one line to standard error, and does not mind when nobody reads it.
    static func tell(_ line: String) {
        let bytes = Array((VisibleText.of(line) + "\n").utf8)
        _ = unsafe bytes.withUnsafeBytes {
            unsafe Glibc.write(Stream.error.rawValue, $0.baseAddress, $0.count)
        }
    }

    /// Lets signals reach this thread.
    static func unblock(_ numbers: [Int32]) {
        var set = sigset_t()
        unsafe sigemptyset(&set)
        for number in numbers { unsafe sigaddset(&set, number) }
        unsafe pthread_sigmask(SIG_UNBLOCK, &set, nil)
    }

    /// Whether a path names a folder.
    static func isFolder(_ path: String) -> Bool {
        var status = stat()
        return unsafe stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    /// Whether a path names a regular file, or a link to one: reading it waits for nobody.
    private static func isRegularFile(_ path: String) -> Bool {
        var status = stat()
        return unsafe stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
    }

    /// The names of a folder's .txt files that are not hidden, in order.
    ///
    /// - Throws: `io`.
    static func textFiles(in folder: String) throws(Failure) -> [String] {
        func failure() -> Failure {
            Failure(.io, unsafe "cannot list \(folder): \(String(cString: strerror(errno)))")
        }
        guard let stream = unsafe opendir(folder) else { throw failure() }
        defer { unsafe closedir(stream) }
        var names: [String] = []
        while true {
            // readdir(3) tells the end from a failure by errno alone.
            errno = 0
            guard let entry = unsafe readdir(stream) else {
                guard errno == 0 else { throw failure() }
                break
            }
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { name in
                unsafe name.withMemoryRebound(to: CChar.self, capacity: 256) {
                    unsafe String(cString: $0)
                }
            }
            if name.hasSuffix(".txt"), !name.hasPrefix("."), isRegularFile("\(folder)/\(name)") {
                names.append(name)
            }
        }
        // The order of the bytes: the texts become one, whatever Unicode's order is.
        return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    /// Shows text in a pager and waits until it is closed.
    ///
    /// - Returns: False when the pager could not be started; then nothing was shown.
    static func page(_ text: String, through command: String) -> Bool {
        guard let pipe = unsafe popen(command, "w") else { return false }
        // The pager decides what an interrupt means; as with `git log`.
        let before = signal(SIGINT, SIG_IGN)
        defer { _ = signal(SIGINT, before) }
        let bytes = Array(VisibleText.of(text).utf8)
        _ = unsafe bytes.withUnsafeBytes { unsafe fwrite($0.baseAddress, 1, $0.count, pipe) }
        return unsafe pclose(pipe) >= 0
    }

    /// The pager to use: `CAMBIUM_PAGER`, `PAGER`, else `less -FRX` where there is a less; nil when
    /// one of them says `cat`.
    static var pager: String? {
        if let chosen = variable("CAMBIUM_PAGER") ?? variable("PAGER") {
            return chosen == "cat" ? nil : chosen
        }
        let folders = (variable("PATH") ?? "").split(separator: ":")
        return folders.contains { unsafe access("\($0)/less", X_OK) == 0 } ? "less -FRX" : nil
    }
}
