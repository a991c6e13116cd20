internal import Glibc
internal import Synchronization

/// What a process is started with: streams that may be closed, and limits.
extension Terminal {
    /// The standard streams that were closed when the program began.
    ///
    /// Files that are opened later must not take their places: they would receive what is written as
    /// messages. The null device does; standard input and output get it the wrong way round, so that whoever
    /// needs them learns that they are not there.
    private static let missing: [Int32] = {
        var missing: [Int32] = []
        for (stream, access) in [(Int32(0), O_WRONLY), (1, O_RDONLY), (2, O_WRONLY)]
        where fcntl(stream, F_GETFD) < 0 && errno == EBADF {
            missing.append(stream)
            // The lowest that is free, so this one; a folder does where there is no null device.
            if unsafe open("/dev/null", access) < 0 { _ = unsafe open("/", O_RDONLY | O_DIRECTORY) }
        }
        return missing
    }()

    private static let isOutputNeeded = Atomic(false)

    /// Prepares the process before anything is opened.
    static func prepare() {
        _ = missing
        // A file beyond the limit for files (ulimit -f) is an error of the write, not the end.
        _ = signal(SIGXFSZ, SIG_IGN)
    }

    /// Tells that the command is run for what it writes to standard output.
    static func needOutput() { isOutputNeeded.store(true, ordering: .relaxed) }

    /// Whether standard output was closed by whoever started a command for what it does.
    static var isOutputUnwanted: Bool {
        !isOutputNeeded.load(ordering: .relaxed) && missing.contains(Stream.output.rawValue)
    }
}
