internal import Glibc
internal import Synchronization

/// State that the threads of a process share, behind a lock.
///
/// A forked process begins with the initial state and a lock that is free: at that moment another thread of its parent
/// may have held the parent's, and there is no such thread in the child that would ever let go of it (fork(2)).
@safe package struct ProcessState<State: Sendable>: ~Copyable, Sendable {
    private final class Held: Sendable {
        let process = getpid()
        let state: Mutex<State>

        init(_ state: State) { self.state = Mutex(state) }
    }

    private let initial: State
    /// Never freed: one for each process that used it.
    private let current: Atomic<Unmanaged<Held>?>

    package init(_ initial: State) {
        self.initial = initial
        unsafe current = Atomic(nil)
    }

    package borrowing func withLock<Result: ~Copyable, Failure: Error>(
        _ body: (inout sending State) throws(Failure) -> sending Result
    ) throws(Failure) -> sending Result {
        try held().state.withLock(body)
    }

    private borrowing func held() -> Held {
        let known = unsafe current.load(ordering: .acquiring)
        if let known = unsafe known {
            let held = unsafe known.takeUnretainedValue()
            if held.process == getpid() { return held }
        }
        let made = unsafe Unmanaged.passRetained(Held(initial))
        let (exchanged, original) = unsafe current.compareExchange(
            expected: known, desired: made, ordering: .acquiringAndReleasing)
        if exchanged { return unsafe made.takeUnretainedValue() }
        unsafe made.release()
        // Another thread of this process was faster.
        return unsafe original?.takeUnretainedValue() ?? held()
    }
}
