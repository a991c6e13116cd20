/// How often a request is tried, and how long is waited in between.
///
/// Exponential backoff with full jitter: many clients that failed together do not come back together (Marc Brooker,
/// "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).
package struct RetryPolicy: Sendable {
    package var attempts = 8
    package var first = Duration.milliseconds(100)
    package var longest = Duration.seconds(10)
    /// No attempt begins later than this after the first one.
    package var patience = Duration.seconds(90)

    package init() {}

    /// How long to wait after so many attempts; nil for no longer trying.
    ///
    /// - Parameter asked: What the server asked for (Retry-After).
    func delay(after attempt: Int, asked: Duration?, since start: ContinuousClock.Instant)
        -> Duration?
    {
        guard attempt < attempts else { return nil }
        let most = min(longest, first * (1 << min(attempt - 1, 20)))
        let delay = max(most * Double.random(in: 0...1), asked ?? .zero)
        return .now - start + delay <= patience ? delay : nil
    }
}
