internal import Elements
internal import Synchronization

/// How ``orderedWork(_:width:_:_:)`` starts threads.
package enum WorkThreads {
    /// Starts what it is given and answers how to wait for its end; nil for a thread of the system's.
    ///
    /// A simulation runs one thread at a time, in an order of its own.
    @TaskLocal package static var starter: Starter?

    /// A class, since optimized code ends when it binds a task-local function (Swift 6.3).
    package final class Starter: Sendable {
        fileprivate let start:
            @Sendable (_ body: @escaping @Sendable () -> Void) -> @Sendable () -> Void

        package init(
            _ start:
                @escaping @Sendable (_ body: @escaping @Sendable () -> Void)
                -> @Sendable () -> Void
        ) { self.start = start }
    }

    /// Begins work and answers how to wait for what came of it.
    static func begin<Value: Sendable>(
        _ body: @escaping @Sendable () -> Value
    ) -> () -> Value {
        guard let starter else {
            let background = Background(body)
            return { background.wait() }
        }
        let outcome = Outcome<Value>()
        let wait = starter.start { outcome.value.withLock { $0 = body() } }
        return {
            wait()
            guard let value = outcome.value.withLock({ $0 }) else {
                preconditionFailure("work that was waited for has not ended")
            }
            return value
        }
    }

    private final class Outcome<Value: Sendable>: Sendable {
        let value = Mutex<Value?>(nil)
    }
}

/// Does work on several threads and takes the results in order on the caller's.
///
/// At most `width` results are in the making or waiting to be taken, so that memory stays bounded.
///
/// - Parameters:
///   - produce: Called for each index once, from any thread.
///   - consume: Called with each result, in order; what it throws ends the work when the calls have ended that run.
package func orderedWork<Value: Sendable>(
    _ count: Int, width: Int, _ produce: @escaping @Sendable (Int) throws -> Value,
    _ consume: (Int, Value) throws -> Void
) throws {
    // No thread for a single thing to do, such as the push of one pack.
    guard count > 1, width > 1 else {
        for index in 0..<count { try consume(index, try produce(index)) }
        return
    }
    var running: [() -> Result<Value, any Error>] = []
    var next = 0
    defer { for wait in running { _ = wait() } }
    for index in 0..<count {
        while next < count, running.count < width {
            let number = next
            running.append(WorkThreads.begin { Result { try produce(number) } })
            next += 1
        }
        try consume(index, try running.removeFirst()().get())
    }
}

/// As ``orderedWork(_:width:_:_:)``, all results together.
func parallelMap<Value: Sendable>(
    _ count: Int, width: Int, _ produce: @escaping @Sendable (Int) throws -> Value
) throws -> [Value] {
    var values: [Value] = []
    try orderedWork(count, width: width, produce) { values.append($1) }
    return values
}
