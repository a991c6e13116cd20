internal import Glibc
internal import Synchronization

/// Ctrl-C during work that can stop by itself: the first asks it to, the second ends the process.
enum Interrupt {
    private static let asked = Atomic<Bool>(false)

    /// Whether Ctrl-C came since `watch`.
    static var isAsked: Bool { asked.load(ordering: .relaxed) }

    /// Begins to take Ctrl-C and termination as requests.
    static func watch() {
        // Made before a handler may touch it.
        asked.store(false, ordering: .relaxed)
        // A parent may have blocked them, and a child inherits that.
        Terminal.unblock([SIGINT, SIGTERM])
        for number in [SIGINT, SIGTERM] {
            signal(number) { number in
                Interrupt.asked.store(true, ordering: .relaxed)
                signal(number, SIG_DFL)
            }
        }
    }
}
