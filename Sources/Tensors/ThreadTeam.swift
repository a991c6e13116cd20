internal import Dispatch

/// Threads that share the parts of a loop.
///
/// What a loop computes must not depend on the team's size: a part writes only what belongs to it, in
/// an order of its own.
package final class ThreadTeam: Sendable {
    /// Threads, the caller's among them.
    package let count: Int

    /// A team of the caller alone.
    package static let single = ThreadTeam(count: 1)

    /// - Parameter count: At least 1.
    package init(count: Int) {
        precondition(count >= 1, "a team of \(count) threads")
        self.count = count
    }

    /// Calls `body` once for each part, on some thread of the team, and returns when all have
    /// returned.
    ///
    /// - Parameters:
    ///   - parts: How many; more than `count` are shared out as threads come free.
    ///   - body: Called with 0 ..< `parts`, in no given order.
    package func forEach(_ parts: Int, _ body: @Sendable (Int) -> Void) {
        if count == 1 || parts <= 1 {
            for part in 0..<parts { body(part) }
        } else {
            DispatchQueue.concurrentPerform(iterations: parts, execute: body)
        }
    }
}
