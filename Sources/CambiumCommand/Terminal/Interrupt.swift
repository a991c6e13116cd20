internal import Cambium
internal import Glibc
internal import Synchronization

/// Ctrl-C, a termination and a hang-up: the process says that it was interrupted, removes the files that
/// it was writing, frees what it staged, and ends by the signal, so that a shell sees what happened.
///
/// Work that can stop by itself (training) is asked to; the second signal ends the process, but for another
/// hang-up: a lost connection brings several.
enum Interrupt {
    private static let asked = Atomic<Bool>(false)
    /// The signal that asked.
    private static let request = Atomic<Int32>(0)
    private static let isCooperative = Atomic<Bool>(false)
    private static let takesHangUp = Atomic<Bool>(true)
    private static let numbers = [SIGINT, SIGTERM, SIGHUP]

    /// Whether a signal asked the work to stop.
    static var isAsked: Bool { asked.load(ordering: .relaxed) }

    /// Runs work that looks at ``isAsked``: meanwhile the first signal is a request, also within ``relaying(_:)``.
    static func watching<Result>(_ body: () throws -> Result) rethrows -> Result {
        let outer = isCooperative.exchange(true, ordering: .relaxed)
        defer { isCooperative.store(outer, ordering: .relaxed) }
        return try body()
    }

    /// Runs work that a Ctrl-C ends without ending the process.
    ///
    /// The work looks at ``isAsked``, and what comes behind it begins anew. A second one before it has ended, a termination
    /// and a hang-up end the process as ever.
    static func pausing<Result>(_ body: () throws -> Result) rethrows -> Result {
        asked.store(false, ordering: .relaxed)
        isPausing.store(true, ordering: .relaxed)
        defer {
            isPausing.store(false, ordering: .relaxed)
            asked.store(false, ordering: .relaxed)
        }
        return try body()
    }

    /// What is said of what a signal ended.
    static func say(_ words: String) { farewell.withLock { $0 = words } }

    private static let isPausing = Atomic<Bool>(false)
    private static let farewell = Mutex(
        "stopped before the end; what was not committed is not kept")

    /// Runs work of which children do the most: meanwhile every signal is passed on to their groups, and the work
    /// goes on when they have ended.
    static func relaying<Result>(_ body: () throws -> Result) rethrows -> Result {
        isRelaying.store(true, ordering: .relaxed)
        defer { isRelaying.store(false, ordering: .relaxed) }
        return try body()
    }

    /// Passes signals on to a process group, that of the moment before included.
    static func pass(to group: pid_t) {
        groups.withLock { groups in
            groups.insert(group)
            if isRelaying.load(ordering: .relaxed), isAsked {
                kill(-group, request.load(ordering: .relaxed))
            }
        }
    }

    /// Leaves a process group alone from now on.
    static func passNoMore(to group: pid_t) {
        _ = groups.withLock { $0.remove(group) }
    }

    private static let isRelaying = Atomic<Bool>(false)
    private static let groups = Mutex<Set<pid_t>>([])

    /// Takes the signals from now on, and acts on a thread of its own: there, unlike in a handler, files
    /// can be removed.
    ///
    /// A hang-up that the parent had ignored (nohup) stays ignored; a script's background work, for which
    /// shells ignore Ctrl-C, can still be interrupted by name.
    static func begin() {
        guard let ends = Terminal.pipe() else { return }
        writeEnd.store(ends.write, ordering: .relaxed)
        var thread = pthread_t()
        readEnd.store(ends.read, ordering: .relaxed)
        let code = unsafe pthread_create(
            &thread, nil,
            { _ in
                Interrupt.wait()
                return nil
            }, nil)
        guard code == 0 else { return }
        for number in numbers {
            let before = signal(number, Self.note)
            if number == SIGHUP, unsafe unsafeBitCast(before, to: Int.self) == ignored {
                signal(number, SIG_IGN)
                takesHangUp.store(false, ordering: .relaxed)
            }
        }
        // A parent may have blocked them, and a child inherits that.
        Terminal.unblock(numbers)
    }

    /// What `SIG_IGN` is as a number (signal.h).
    private static let ignored = 1
    private static let writeEnd = Atomic<Int32>(-1)
    private static let readEnd = Atomic<Int32>(-1)

    /// Hands a signal to the thread; only what a handler may do (signal-safety(7)).
    private static let note: @convention(c) (Int32) -> Void = { number in
        let before = errno
        Terminal.put(UInt8(truncatingIfNeeded: number), into: writeEnd.load(ordering: .relaxed))
        errno = before
    }

    private static func wait() {
        let source = readEnd.load(ordering: .relaxed)
        while let byte = Terminal.next(from: source) {
            let number = Int32(byte)
            let isCooperative = isCooperative.load(ordering: .relaxed)
            if isRelaying.load(ordering: .relaxed), !isCooperative {
                groups.withLock { groups in
                    request.store(number, ordering: .relaxed)
                    asked.store(true, ordering: .relaxed)
                    for group in groups { kill(-group, number) }
                }
                continue
            }
            if isCooperative, isAsked, number == SIGHUP { continue }
            if isPausing.load(ordering: .relaxed), number == SIGINT, !isAsked {
                asked.store(true, ordering: .relaxed)
                continue
            }
            guard !isCooperative || isAsked else {
                request.store(number, ordering: .relaxed)
                asked.store(true, ordering: .relaxed)
                continue
            }
            Store.abandonFiles {
                if Terminal.isTerminal(.error) { Terminal.clearLine(.error) }
                Terminal.tell("interrupted: \(farewell.withLock { $0 })")
                // Whoever is tired of waiting may end it at once.
                for number in numbers where number != SIGHUP || takesHangUp.load(ordering: .relaxed)
                {
                    signal(number, SIG_DFL)
                }
                Store.abandonCommits()
                end(by: number)
            }
        }
    }

    /// Ends the process by a signal.
    private static func end(by number: Int32) -> Never {
        signal(number, SIG_DFL)
        kill(getpid(), number)
        // Until the signal arrives.
        while true { pause() }
    }

    /// Ends the process by the signal that asked for it, if one did, after all was said.
    static func endIfAsked() {
        let number = request.load(ordering: .relaxed)
        if isAsked, number != 0 { end(by: number) }
    }
}
