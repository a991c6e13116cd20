internal import Synchronization

/// An observer of a store's steps that a test can change while the store is open.
package final class Hook: Sendable {
    private let action = Mutex<(@Sendable (String) -> Void)?>(nil)

    package init() {}

    package func set(_ action: (@Sendable (String) -> Void)?) {
        self.action.withLock { $0 = action }
    }

    /// What to pass as the observer.
    package var call: @Sendable (String) -> Void {
        { step in self.action.withLock { $0 }?(step) }
    }
}
