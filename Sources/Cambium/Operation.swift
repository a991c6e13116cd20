/// Long work on a thread of its own: its progress as a stream, its result to wait for.
///
/// ```swift
/// let export = store.begin { try $0.export("main", to: "out", progress: $1) }
/// for await step in export.progress { print(step.phase, step.done, "of", step.total) }
/// print(try await export.value.files)
/// ```
///
/// It goes on when nobody waits for it or reads its progress. The store stays open until it ends.
public struct Operation<Value: Sendable>: Sendable {
    /// What it tells of its progress, to be read once; it ends with the work.
    ///
    /// For a reader that is slow, the newest 16 steps are kept.
    public let progress: AsyncStream<Progress>
    private let task: Task<Value, any Error>

    init(_ work: @escaping @Sendable (ProgressReporter) throws -> Value) {
        let (stream, continuation) = AsyncStream.makeStream(
            of: Progress.self, bufferingPolicy: .bufferingNewest(16))
        progress = stream
        task = Task(executorPreference: OwnThread("cambium.operation")) {
            defer { continuation.finish() }
            return try work { step in
                continuation.yield(step)
                guard Task.isCancelled else { return }
                throw CambiumError(
                    .cancelled, "cancelled while it was under way; nothing was committed")
            }
        }
    }

    /// The result, when the work has ended; a task that waits here and is cancelled cancels the work.
    ///
    /// - Throws: What the work throws; `cancelled` when it was cancelled in time.
    public var value: Value {
        get async throws {
            try await withTaskCancellationHandler {
                try await task.value
            } onCancel: {
                task.cancel()
            }
        }
    }

    /// Asks the work to end at its next step of progress.
    ///
    /// Nothing is committed then, and what was being written aside is removed. Work that is past its last step
    /// ends as if nobody had asked.
    public func cancel() { task.cancel() }
}

extension Store {
    /// Starts long work on a thread of its own and returns at once.
    ///
    /// - Parameter work: Does it, with the store and what it is to tell its progress to: pass that on as the
    ///   `progress:` of what is called, so that the operation can be watched and cancelled.
    public func begin<Value: Sendable>(
        _ work: @escaping @Sendable (Store, ProgressReporter) throws -> Value
    ) -> Operation<Value> { Operation { try work(self, $0) } }
}
