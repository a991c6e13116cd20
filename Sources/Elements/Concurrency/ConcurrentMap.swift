internal import Glibc
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
    let threads = min(parts, max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))))
    return withoutActuallyEscaping(transform) { transform in
        let loop = SharedLoop(count, parts, transform)
        let others = (1..<threads).map { _ in Background { loop.run() } }
        loop.run()
        for other in others { other.wait() }
        return loop.joined()
    }
}

/// A loop whose parts several threads take as they come free.
private final class SharedLoop<Element: Sendable>: Sendable {
    private let count: Int
    private let parts: Int
    private let transform: @Sendable (Int) -> Element
    private let next = Atomic(0)
    private let results: Mutex<[[Element]]>

    init(_ count: Int, _ parts: Int, _ transform: @escaping @Sendable (Int) -> Element) {
        self.count = count
        self.parts = parts
        self.transform = transform
        results = Mutex(Array(repeating: [], count: parts))
    }

    func run() {
        while true {
            let part = next.add(1, ordering: .relaxed).oldValue
            guard part < parts else { return }
            let range = (count * part / parts)..<(count * (part + 1) / parts)
            let elements = range.map(transform)
            results.withLock { $0[part] = elements }
        }
    }

    func joined() -> [Element] {
        results.withLock { Array($0.joined()) }
    }
}
