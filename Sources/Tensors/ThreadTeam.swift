internal import CKernels
internal import Elements
internal import Glibc
internal import Synchronization

/// Threads that share the parts of a loop.
///
/// What a loop computes must not depend on the team's size: a part writes only what belongs to it, in
/// an order of its own. Any thread may use a team; while one shares a loop, another does its own
/// alone. The threads sleep when there is nothing to do.
@safe package final class ThreadTeam: Sendable {
    /// Threads, the caller's among them.
    package let count: Int
    // Nil for a team of one. `cambium_team_run` may be called from any thread.
    nonisolated(unsafe) private let team: OpaquePointer?

    /// Cores that the system runs threads on, 1 to 1024.
    package static var processors: Int {
        min(1_024, max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))))
    }

    /// - Throws: `usage` for a number of threads that cannot be.
    package static func check(_ count: Int) throws {
        guard (1...1_024).contains(count) else {
            throw CambiumError(.usage, "\(count) threads; give 1 to 1024")
        }
    }

    /// A team of the caller alone.
    package static let single = ThreadTeam(count: 1)

    /// Starts `count` - 1 threads; when the system gives none, the team is the caller alone.
    ///
    /// - Parameter count: At least 1.
    package init(count: Int) {
        precondition(count >= 1, "a team of \(count) threads")
        unsafe team = count == 1 ? nil : cambium_team_create(count)
        unsafe self.count = team == nil ? 1 : count
    }

    deinit {
        if let team = unsafe team { unsafe cambium_team_destroy(team) }
    }

    /// Calls `body` once for each part, on some thread of the team, and returns when all have
    /// returned.
    ///
    /// - Parameters:
    ///   - parts: How many; more than `count` are shared out as threads come free.
    ///   - body: Called with 0 ..< `parts`, in no given order.
    package func forEach(_ parts: Int, _ body: @Sendable (Int) -> Void) {
        guard let team = unsafe team, parts > 1 else {
            for part in 0..<parts { body(part) }
            return
        }
        withoutActuallyEscaping(body) { body in
            var call: @Sendable (Int) -> Void = body
            unsafe withUnsafeMutablePointer(to: &call) { pointer in
                unsafe cambium_team_run(
                    team, parts,
                    { context, part in
                        typealias Body = @Sendable (Int) -> Void
                        unsafe context?.assumingMemoryBound(to: Body.self).pointee(part)
                    }, pointer)
            }
        }
    }

    /// What `body` makes of each part, in order.
    package func map<Element: Sendable>(
        _ parts: Int, _ x: Span<Float>, _ body: @Sendable (Span<Float>, Int) -> Element
    ) -> [Element] {
        if count == 1 || parts <= 1 { return (0..<parts).map { body(x, $0) } }
        let results = Mutex([Element?](repeating: nil, count: parts))
        unsafe x.withUnsafeBufferPointer { buffer in
            nonisolated(unsafe) let buffer = unsafe buffer
            forEach(parts) { part in
                let element = unsafe body(Span(_unsafeElements: buffer), part)
                results.withLock { $0[part] = element }
            }
        }
        return results.withLock { $0.compactMap { $0 } }
    }
}
