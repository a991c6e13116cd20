internal import Elements
internal import Synchronization

/// A few people and collections at one remote, for some days, whatever happens to them; all of it follows from a seed.
package struct Schedule: Sendable {
    package let seed: UInt64

    package struct Report: Sendable {
        /// What did not hold.
        package var faults: [String] = []
        package var requests = 0
        package var done: [String: Int] = [:]
    }

    package init(seed: UInt64) { self.seed = seed }

    private static let hour: Int64 = 3_600_000_000

    package func run() throws -> Report {
        let chance = Chance(seed)
        let ledger = Ledger()
        let place = SimulatedPlace(ledger)
        let timeline = Timeline()
        let history = History()
        let networks = Self.networks(chance)
        let tally = Tally()
        let count = 2 + chance.below(4)
        let days = 2 + chance.below(12)
        let branches = (0...chance.below(3)).map { "b\($0)" }
        let grace = Int64(24 + chance.pick([0, 0, 6, 40])) * 3600
        let ended = Mutex<Int64>(0)
        for number in 0..<count {
            let member = Member(
                "c\(number)", LightStore(history), place, timeline, networks.members,
                chance.split(),
                skew: Int64(chance.below(400_000)) - 200_000)
            let work = MemberWork(member: member, branches: branches, tally: tally)
            let operations = 2 + chance.below(8)
            timeline.begin(at: Int64(chance.below(days * 24)) * Self.hour / 4) {
                work.run(operations, within: Int64(days) * 24 * Self.hour)
                ended.withLock { $0 = max($0, Timeline.current?.now ?? 0) }
            }
        }
        for number in 0..<(1 + chance.below(2)) {
            let member = Member(
                "g\(number)", LightStore(history), place, timeline, networks.collections,
                chance.split())
            let work = CollectionWork(
                member: member, grace: grace, pause: 4 + 36 * chance.fraction(), tally: tally)
            timeline.begin(at: Int64(chance.below(48)) * Self.hour) {
                work.run(until: Int64(days + 4) * 24 * Self.hour)
                ended.withLock { $0 = max($0, Timeline.current?.now ?? 0) }
            }
        }
        timeline.run()
        let last = Member(
            "last", LightStore(history), place, timeline, .fair, chance.split())
        let work = CollectionWork(member: last, grace: grace, pause: 0, tally: tally)
        timeline.begin(at: ended.withLock { $0 } + Self.hour) { work.finish() }
        timeline.run()
        ledger.finish(history)
        var result = tally.report
        result.faults = ledger.faults + result.faults
        for key in ledger.garbage(place) { result.faults.append("\(key) is garbage that stays") }
        result.done["removals"] = ledger.removals
        return result
    }

    /// Those who push and those who collect may be near and fast, or far and slow.
    private static func networks(_ chance: Chance) -> (members: Network, collections: Network) {
        let shared = network(chance)
        switch chance.below(4) {
        case 0: return (network(chance, slow: true), .fair)
        case 1: return (.fair, network(chance, slow: true))
        case 2: return (shared, .fair)
        default: return (shared, shared)
        }
    }

    /// How bad things are, from not at all to much worse than anybody has seen.
    private static func network(_ chance: Chance, slow: Bool = false) -> Network {
        var network = Network()
        // Links so slow, and machines that sleep so long, that a push takes days.
        if slow || chance.happens(0.2) {
            network.firstByte = chance.fraction() * Double(hour)
        }
        if slow || chance.happens(0.2) {
            network.pauses = 0.1 * chance.fraction()
            network.longestPause = Int64(chance.below(72)) * hour
        }
        if slow { return network }
        if chance.happens(0.7) {
            network.lostBefore = 0.03 * chance.fraction()
            network.lostAfter = 0.03 * chance.fraction()
            network.late = 0.03 * chance.fraction()
        }
        if chance.happens(0.6) {
            network.killedBefore = 0.03 * chance.fraction()
            network.killedAfter = 0.03 * chance.fraction()
        }
        if chance.happens(0.3) {
            network.burst = Int64(chance.fraction() * 20e6)
            network.burstEvery = 600_000_000
        }
        return network
    }
}

/// What several lines note.
final class Tally: Sendable {
    private let state = Mutex(Schedule.Report())

    var report: Schedule.Report { state.withLock { $0 } }

    func note(_ what: String) { state.withLock { $0.done[what, default: 0] += 1 } }

    func note<Value>(_ what: String, _ outcome: Member.Outcome<Value>) {
        state.withLock { state in
            state.requests += outcome.usage.total
            switch outcome.result {
            case .success: state.done[what, default: 0] += 1
            case .failure(let error):
                let why = outcome.isKilled ? "killed" : "\(error.code)"
                state.done["\(what): \(why)", default: 0] += 1
            }
        }
    }

    func fault(_ text: String) { state.withLock { $0.faults.append(text) } }
}
