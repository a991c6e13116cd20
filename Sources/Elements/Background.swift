internal import Dispatch
internal import Synchronization

/// A value that is being computed on another thread.
package final class Background<Value: Sendable>: Sendable {
    private let value = Mutex<Value?>(nil)
    private let done = DispatchSemaphore(value: 0)

    /// Starts at once.
    ///
    /// - Parameter body: Runs on one thread from begin to end.
    package init(_ body: @escaping @Sendable () -> Value) {
        DispatchQueue.global(qos: .userInitiated).async { [self] in
            let result = body()
            value.withLock { $0 = result }
            done.signal()
        }
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
