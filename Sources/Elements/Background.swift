internal import Dispatch
internal import Synchronization

/// A value that is being computed on another thread.
package final class Background<Value: Sendable>: Sendable {
    private let value = Mutex<Value?>(nil)
    private let done = DispatchSemaphore(value: 0)
    /// Nil once it ran: whoever waited must not find that this thread still keeps what the body holds, such as
    /// an environment that is to be closed and opened again.
    private let body: Mutex<(@Sendable () -> Value)?>

    /// Starts at once.
    ///
    /// - Parameter body: Runs on one thread from begin to end, and is released before ``wait()`` returns.
    package init(_ body: @escaping @Sendable () -> Value) {
        self.body = Mutex(body)
        DispatchQueue.global(qos: .userInitiated).async { [self] in run() }
    }

    private func run() {
        var body = body.withLock { $0.take() }
        let result = body?()
        body = nil
        value.withLock { $0 = result }
        done.signal()
    }

    /// Waits for the value; call once.
    package func wait() -> Value {
        done.wait()
        guard let result = value.withLock({ $0.take() }) else {
            preconditionFailure("the value was taken before")
        }
        return result
    }
}
