internal import Cambium
internal import Glibc

/// A program that a command runs, in a process group of its own: signals reach it and all that it started by
/// ``Interrupt`` alone.
struct ChildProcess {
    private let id: pid_t

    /// Where a child's words go.
    enum Output {
        /// Where this program's go.
        case shared
        /// Both streams to this program's standard error, whose output is a report.
        case errors
        /// Both streams to the end of a file.
        case file(String)
        /// Standard output to a descriptor.
        case descriptor(Int32)
    }

    /// Starts a program.
    ///
    /// - Parameters:
    ///   - words: Its name or path, and its arguments.
    ///   - variables: Added to the environment.
    ///   - input: The file that it reads as standard input; nil for this program's, unless that is a terminal,
    ///     which a group of its own cannot read.
    /// - Throws: `not-found`, `io`, `denied` when it cannot be started.
    init(
        _ words: [String], variables: [String: String] = [:], input: String? = nil,
        output: Output = .shared
    ) throws(Failure) {
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        if let input = input ?? (isatty(0) == 1 ? "/dev/null" : nil) {
            _ = unsafe posix_spawn_file_actions_addopen(&actions, 0, input, O_RDONLY, 0)
        }
        switch output {
        case .shared: break
        case .errors: _ = unsafe posix_spawn_file_actions_adddup2(&actions, 2, 1)
        case .file(let path):
            _ = unsafe posix_spawn_file_actions_addopen(
                &actions, 1, path, O_WRONLY | O_CREAT | O_APPEND, 0o666)
            _ = unsafe posix_spawn_file_actions_adddup2(&actions, 1, 2)
        case .descriptor(let end):
            _ = unsafe posix_spawn_file_actions_adddup2(&actions, end, 1)
        }
        var attributes = posix_spawnattr_t()
        unsafe posix_spawnattr_init(&attributes)
        defer { unsafe posix_spawnattr_destroy(&attributes) }
        var (none, changed) = (sigset_t(), sigset_t())
        unsafe sigemptyset(&none)
        unsafe sigemptyset(&changed)
        // This program ignores it for itself (``Terminal/prepare()``).
        unsafe sigaddset(&changed, SIGXFSZ)
        unsafe posix_spawnattr_setsigmask(&attributes, &none)
        unsafe posix_spawnattr_setsigdefault(&attributes, &changed)
        unsafe posix_spawnattr_setpgroup(&attributes, 0)
        unsafe posix_spawnattr_setflags(
            &attributes,
            Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
        var id = pid_t()
        let code = unsafe Self.withPointers(to: words) { arguments in
            unsafe Self.withPointers(to: Self.environment(variables)) { environment in
                unsafe posix_spawnp(
                    &id, words.first ?? "", &actions, &attributes, arguments, environment)
            }
        }
        guard code == 0 else {
            let name = words.first ?? ""
            throw Failure(
                code == ENOENT ? .notFound : .io,
                unsafe "cannot start \(name): \(String(cString: strerror(code)))",
                hint: code == ENOENT ? "is it installed, and on the PATH?" : nil)
        }
        self.id = id
        Interrupt.pass(to: id)
    }

    /// Waits for its end.
    ///
    /// - Returns: Its exit status; of one that a signal ended, 128 and the signal's number, as in a shell.
    func wait() -> Int32 {
        Self.settle(P_PID, id_t(id))
        return Self.reap(id)
    }

    /// Waits for the end of any of some children.
    ///
    /// - Returns: Its place among them, and its status as of ``wait()``.
    static func waitForAny(_ children: [ChildProcess]) -> (index: Int, status: Int32) {
        while true {
            let ended = settle(P_ALL, 0)
            if let index = children.firstIndex(where: { $0.id == ended }) {
                return (index, reap(ended))
            }
            // Nobody's: such as the pager of a parent that became this program.
            _ = reap(ended)
        }
    }

    /// Runs a program to its end, and takes what it writes to standard output.
    ///
    /// - Throws: As ``init(_:variables:input:output:)``.
    static func output(
        of words: [String], input: String? = nil
    ) throws(Failure) -> (text: String, status: Int32) {
        guard let pipe = Terminal.pipe() else { throw Failure(.limit, "no pipe can be made") }
        let child: ChildProcess
        do {
            child = try ChildProcess(words, input: input, output: .descriptor(pipe.write))
        } catch {
            close(pipe.read)
            close(pipe.write)
            throw error
        }
        close(pipe.write)
        var bytes: [UInt8] = []
        while let byte = Terminal.next(from: pipe.read) { bytes.append(byte) }
        close(pipe.read)
        return (String(decoding: bytes, as: UTF8.self), child.wait())
    }

    /// Waits until a child has ended, without taking its status: until then nobody else gets its number.
    @discardableResult
    private static func settle(_ kind: idtype_t, _ id: id_t) -> pid_t {
        var info = unsafe siginfo_t()
        while unsafe waitid(kind, id, &info, WEXITED | WNOWAIT) != 0 {
            precondition(errno == EINTR, "there is no child to wait for")
        }
        return unsafe info._sifields._sigchld.si_pid
    }

    private static func reap(_ id: pid_t) -> Int32 {
        Interrupt.passNoMore(to: id)
        var status: Int32 = 0
        while unsafe waitpid(id, &status, 0) < 0, errno == EINTR {}
        // The macros of wait(2): the signal's number in the low bits, else the status above them.
        let signal = status & 0x7F
        return signal == 0 ? (status >> 8) & 0xFF : 128 + signal
    }

    private static func environment(_ variables: [String: String]) -> [String] {
        var table: [String] = []
        var entry = unsafe environ
        while let text = unsafe entry.pointee {
            let line = unsafe String(cString: text)
            if variables[String(line.prefix { $0 != "=" })] == nil { table.append(line) }
            unsafe entry += 1
        }
        return table + variables.map { "\($0.key)=\($0.value)" }
    }

    /// The texts as C has arguments and environments: pointers, and null behind the last.
    private static func withPointers(
        to texts: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> Int32
    ) -> Int32 {
        let pointers = unsafe texts.map { unsafe strdup($0) }
        defer { unsafe pointers.forEach { unsafe free($0) } }
        return unsafe body(pointers + [nil])
    }
}
