internal import Elements
internal import Synchronization

/// Does work on several threads and takes the results in order on the caller's.
///
/// At most `width` results are in the making or waiting to be taken, so that memory stays bounded.
///
/// - Parameters:
///   - produce: Called for each index once, from any thread.
///   - consume: Called with each result, in order; what it throws ends the work when the calls have ended that run.
func orderedWork<Value: Sendable>(
    _ count: Int, width: Int, _ produce: @escaping @Sendable (Int) throws -> Value,
    _ consume: (Int, Value) throws -> Void
) throws {
    // No thread for a single thing to do, such as the push of one pack.
    guard count > 1, width > 1 else {
        for index in 0..<count { try consume(index, try produce(index)) }
        return
    }
    var running: [Background<Result<Value, any Error>>] = []
    var next = 0
    defer { for background in running { _ = background.wait() } }
    for index in 0..<count {
        while next < count, running.count < width {
            let number = next
            running.append(Background { Result { try produce(number) } })
            next += 1
        }
        try consume(index, try running.removeFirst().wait().get())
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
