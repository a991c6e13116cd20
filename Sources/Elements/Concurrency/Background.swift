internal import Glibc
internal import Synchronization

/// A value that is being computed on another thread.
///
/// A thread of its own, and not one of a shared pool: the pool of libdispatch opens descriptors when it
/// starts, and ends the process when there are none left.
package final class Background<Value: Sendable>: Sendable {
    private let value = Mutex<Value?>(nil)
    /// Nil once it ran: whoever waited must not find that this thread still keeps what the body holds, such as
    /// an environment that is to be closed and opened again.
    private let body: Mutex<(@Sendable () -> Value)?>
    /// Nil when it was waited for, or when the system gave no thread.
    private let thread = Mutex<pthread_t?>(nil)

    /// Starts at once; when the system has no thread to give, ``wait()`` does the work.
    ///
    /// - Parameter body: Runs on one thread from begin to end, and is released before ``wait()`` returns.
    package init(_ body: @escaping @Sendable () -> Value) {
        self.body = Mutex(body)
        let work = unsafe Unmanaged.passRetained(Work { [self] in run() })
        var thread = pthread_t()
        let number = unsafe pthread_create(
            &thread, nil,
            { context in
                if let context = unsafe context {
                    unsafe Unmanaged<Work>.fromOpaque(context).takeRetainedValue().run()
                }
                return nil
            }, work.toOpaque())
        if number == 0 {
            self.thread.withLock { [thread] in $0 = thread }
        } else {
            unsafe work.release()
        }
    }

    deinit {
        // Nobody waited: the thread's memory goes when it ends.
        if let thread = thread.withLock({ $0 }) { pthread_detach(thread) }
    }

    private func run() {
        var body = body.withLock { $0.take() }
        let result = body?()
        body = nil
        value.withLock { $0 = result }
    }

    /// Waits for the value; call once.
    package func wait() -> Value {
        if let thread = thread.withLock({ $0.take() }) {
            // Fails only for a thread that was waited for before.
            _ = pthread_join(thread, nil)
        } else {
            run()
        }
        guard let result = value.withLock({ $0.take() }) else {
            preconditionFailure("the value was taken before")
        }
        return result
    }
}

/// What a new thread does.
private final class Work: Sendable {
    let run: @Sendable () -> Void

    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
}
