package import Elements
package import Remotes
internal import Synchronization

/// One client's way to a simulated place.
///
/// Each request waits for its turn on the timeline, so that what others do comes before or after it, never at once.
package final class SimulatedTransport: Transport {
    package enum Kind: Int, Sendable, CaseIterable { case read, write, create, list, entry, delete }

    private struct State {
        var counts = Usage()
        var isDead = false
        /// When the client's own connection has carried all that it was given.
        var free: Int64 = 0
    }

    package let url: String
    private let place: SimulatedPlace
    private let timeline: Timeline
    private let network: Network
    private let chance: Chance
    private let state = Mutex(State())

    package init(
        _ place: SimulatedPlace, _ timeline: Timeline, _ network: Network, _ chance: Chance,
        client: String = "client"
    ) {
        self.place = place
        self.timeline = timeline
        self.network = network
        self.chance = chance
        url = "simulated:///\(client)"
    }

    package var usage: Usage { state.withLock { $0.counts } }
    /// Whether the client was killed: whatever it still does reaches nobody.
    package var isDead: Bool { state.withLock { $0.isDead } }

    package func read(_ key: String, _ range: Range<Int>?, limit: Int) throws -> MappedBytes? {
        try ask(.read, key) { [place] _ in
            place.bytes(key)
        } size: { bytes in
            guard let bytes else { return 0 }
            return place.size(key, range?.count ?? bytes.count)
        }.map { whole in
            let range = range ?? 0..<whole.count
            guard range.upperBound <= whole.count, range.count <= limit else {
                throw CambiumError(
                    .network, "\(key) has \(whole.count) bytes; \(range), at most \(limit)")
            }
            return whole.slice(range)
        }
    }

    package func write(_ key: String, _ body: TransportBody) throws {
        let bytes = MappedBytes(copying: body.pieces.flatMap { $0.copy() })
        _ = try ask(.write, key, sends: place.size(key, body.count)) { [place] in
            place.put(key, bytes, at: $0, isNew: false)
        }
    }

    package func create(_ key: String, _ body: TransportBody) throws -> Bool {
        let bytes = MappedBytes(copying: body.pieces.flatMap { $0.copy() })
        return try ask(.create, key, sends: body.count) { [place] in
            place.put(key, bytes, at: $0, isNew: true)
        }
    }

    package func list(_ prefix: String, after: String?) throws -> TransportListing {
        // An entry of S3's listing takes about so many bytes of XML beside its key.
        try ask(.list, prefix) { [place] in
            place.list(prefix, after: after, at: $0)
        } size: { page in
            page.entries.reduce(300) { $0 + 200 + $1.key.utf8.count }
        }
    }

    package func entry(_ key: String) throws -> (entry: TransportEntry, now: Int64)? {
        try ask(.entry, key) { [place] time in
            place.entry(key).map { ($0, SimulatedPlace.seconds(time)) }
        }
    }

    package func delete(_ key: String) throws {
        try ask(.delete, key) { [place] _ in place.remove(key) }
    }

    /// One request, repeated where that is safe.
    private func ask<Answer>(
        _ kind: Kind, _ key: String, sends: Int = 0,
        _ act: @escaping @Sendable (Int64) -> Answer, size: (Answer) -> Int = { _ in 0 }
    ) throws -> Answer {
        guard let line = Timeline.current else { preconditionFailure("no line of a timeline") }
        var attempt = 1
        while true {
            if isDead { throw Self.gone(key) }
            let wait = network.latency(chance) * (kind == .list ? network.listFactor : 1)
            // The request travels for half of the time, with its body.
            timeline.wait(line, until: carried(line.now, sends) + Int64(wait / 2))
            if isDead { throw Self.gone(key) }
            state.withLock { $0.counts.add(kind, sent: sends) }
            let fate = chance.fraction()
            func falls(_ share: Double, _ before: Double) -> Bool {
                fate >= before && fate < before + share
            }
            var bound = 0.0
            if falls(network.killedBefore, bound) { throw kill(key) }
            bound += network.killedBefore
            if network.isBusy(at: line.now) {
                // 503: nothing was done, so that even a create may be repeated.
                line.pass(Int64(wait / 2) + backoff(attempt))
                attempt += 1
                if attempt > 8 { throw CambiumError(.network, "\(key): 503, eight times") }
                continue
            }
            let isLate = falls(network.late, bound)
            bound += network.late
            if isLate || falls(network.lostBefore, bound) {
                // A signature is good for a quarter of an hour.
                if isLate {
                    let time = line.now + Int64(chance.fraction() * 900e6)
                    timeline.act(at: time) { _ = act(time) }
                }
                line.pass(network.timeLimit)
                if kind == .create || attempt >= network.attempts { throw Self.lost(key) }
                line.pass(backoff(attempt))
                attempt += 1
                continue
            }
            bound += network.lostBefore
            let answer = act(line.now)
            if falls(network.killedAfter, bound) { throw kill(key) }
            bound += network.killedAfter
            if falls(network.lostAfter, bound) {
                line.pass(network.timeLimit)
                if kind == .create || attempt >= network.attempts { throw Self.lost(key) }
                line.pass(backoff(attempt))
                attempt += 1
                continue
            }
            let bytes = size(answer)
            line.pass(carried(line.now, bytes) - line.now + Int64(wait / 2))
            state.withLock { $0.counts.received += bytes }
            if chance.happens(network.pauses) {
                line.pass(Int64(chance.fraction() * Double(network.longestPause)))
            }
            return answer
        }
    }

    /// When a body has been carried that begins at `time`, beside the client's others.
    private func carried(_ time: Int64, _ count: Int) -> Int64 {
        guard count > 0 else { return time }
        let alone = time + Int64(Double(count) / network.rate * 1e6)
        return state.withLock { state in
            state.free = max(state.free, time) + Int64(Double(count) / network.clientRate * 1e6)
            return max(alone, state.free)
        }
    }

    private func backoff(_ attempt: Int) -> Int64 {
        Int64(chance.fraction() * 200_000 * Double(1 << min(attempt, 8)))
    }

    private func kill(_ key: String) -> CambiumError {
        state.withLock { $0.isDead = true }
        return Self.gone(key)
    }

    private static func gone(_ key: String) -> CambiumError {
        CambiumError(.network, "\(key): the client was killed")
    }

    private static func lost(_ key: String) -> CambiumError {
        CambiumError(.network, "\(key): no answer")
    }
}

/// Requests and bytes.
package struct Usage: Sendable, Equatable {
    package var requests = [Int](repeating: 0, count: SimulatedTransport.Kind.allCases.count)
    package var sent = 0
    package var received = 0

    package init() {}

    mutating func add(_ kind: SimulatedTransport.Kind, sent bytes: Int) {
        requests[kind.rawValue] += 1
        sent += bytes
    }

    package subscript(_ kind: SimulatedTransport.Kind) -> Int { requests[kind.rawValue] }
    package var total: Int { requests.reduce(0, +) }

    package static func + (left: Usage, right: Usage) -> Usage {
        var sum = left
        for index in sum.requests.indices { sum.requests[index] += right.requests[index] }
        sum.sent += right.sent
        sum.received += right.received
        return sum
    }

    package static func - (left: Usage, right: Usage) -> Usage {
        var rest = left
        for index in rest.requests.indices { rest.requests[index] -= right.requests[index] }
        rest.sent -= right.sent
        rest.received -= right.received
        return rest
    }
}
