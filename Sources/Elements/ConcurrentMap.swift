internal import Dispatch
internal import Synchronization

/// `transform` of 0..<count, computed on all cores, in order.
///
/// - Parameters:
///   - grain: Elements that are worth a thread; fewer are computed on the caller's.
///   - transform: Called for each index once, from any thread.
package func concurrentMap<Element: Sendable>(
    _ count: Int, grain: Int, _ transform: @Sendable (Int) -> Element
) -> [Element] {
    // More parts than cores, so that a core that is held up elsewhere does not hold up the rest.
    let parts = min(count / max(grain, 1), 16)
    guard parts > 1 else { return (0..<count).map(transform) }
    let results = Mutex<[[Element]]>(Array(repeating: [], count: parts))
    DispatchQueue.concurrentPerform(iterations: parts) { part in
        let range = (count * part / parts)..<(count * (part + 1) / parts)
        let elements = range.map(transform)
        results.withLock { $0[part] = elements }
    }
    var joined: [Element] = []
    joined.reserveCapacity(count)
    for part in results.withLock({ $0 }) { joined.append(contentsOf: part) }
    return joined
}
