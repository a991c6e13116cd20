internal import Dispatch

/// Runs a task's code on a queue of its own, so that long work that waits for disks and locks takes no thread
/// from Swift's pool, which has one for each processor only.
///
/// Sendable: a dispatch queue may be used from any thread (Dispatch's documentation, "Dispatch Queue").
package final class OwnThread: TaskExecutor, Sendable {
    private let queue: DispatchQueue

    package init(_ label: String) {
        queue = DispatchQueue(label: label)
    }

    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async { unsafe job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}
