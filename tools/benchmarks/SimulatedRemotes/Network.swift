internal import Glibc

/// How long requests take, and what becomes of them.
package struct Network: Sendable {
    /// Microseconds until the first byte of an answer, half of the time.
    package var firstByte: Double = 30_000
    /// The standard deviation of its logarithm: 0.55 makes the hundredth 3.6 times as long as the half.
    package var spread = 0.55
    /// Listings take so many times as long.
    package var listFactor = 2.5
    /// Bytes a second of one request, and of all requests of a client together.
    package var rate: Double = 90e6
    package var clientRate: Double = 1.2e9

    /// Shares of requests.
    package var lostBefore = 0.0
    package var lostAfter = 0.0
    /// Given up by the client, and done by the server later all the same.
    package var late = 0.0
    package var killedBefore = 0.0
    package var killedAfter = 0.0
    /// The client sleeps behind the answer, for at most so many microseconds.
    package var pauses = 0.0
    package var longestPause: Int64 = 0
    /// Microseconds for which the server answers 503, and between which it does.
    package var burst: Int64 = 0
    package var burstEvery: Int64 = 0
    /// After which a client gives a request up, and how often it repeats what is safe to repeat.
    package var timeLimit: Int64 = 30_000_000
    package var attempts = 5

    package init() {}

    /// Nothing fails; about the figures of S3 within its region.
    package static let fair = Network()

    func latency(_ chance: Chance) -> Double {
        // Twelve fractions make a normal deviate that is good to three deviations.
        let deviate = (0..<12).reduce(-6.0) { sum, _ in sum + chance.fraction() }
        // Longer, and the client gives it up.
        return min(firstByte * exp(spread * deviate), 3_600e6)
    }

    func isBusy(at time: Int64) -> Bool { burstEvery > 0 && time % burstEvery < burst }
}
