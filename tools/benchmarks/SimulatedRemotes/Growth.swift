internal import Elements
internal import Objects
internal import Remotes
internal import Snapshots
internal import Synchronization

/// One branch that is pushed to again and again, a commit at a time: what a push and a clone cost as its history grows.
package struct Growth: Sendable {
    package var pushes = 100_000
    package var seed: UInt64 = 1

    package init() {}

    package struct Point: Sendable {
        package var pushes = 0
        package var bundles = 0
        /// Bytes of the last entry.
        package var entry = 0
        /// Requests of the last push, and of the greatest since the point before; and bytes that it sent.
        package var push: (requests: Int, greatest: Int, sent: Int, received: Int) = (0, 0, 0, 0)
        /// Of a clone of all of it: requests, bytes, and seconds at eight and at 64 requests at a time.
        package var clone: (requests: Int, received: Int, narrow: Double, wide: Double) = (
            0, 0, 0, 0
        )
    }

    /// - Parameter say: Takes each point as it is reached: after 1, 10, 100 … pushes.
    package func run(_ say: @escaping @Sendable (Point) -> Void) throws -> [String] {
        let chance = Chance(seed)
        let place = SimulatedPlace(Ledger())
        let timeline = Timeline()
        let history = History()
        let member = Member("one", LightStore(history), place, timeline, .fair, chance.split())
        timeline.begin(at: 0) {
            do { try self.grow(member, say) } catch { place.ledger.fault("\(error)") }
        }
        timeline.run()
        place.ledger.finish(history)
        return place.ledger.faults
    }

    private func grow(_ member: Member, _ say: (Point) -> Void) throws {
        var head: ObjectID?
        var next = 1
        var greatest = 0
        for number in 1...pushes {
            let before = head
            head = try member.commit(
                to: "main", before.map { [$0] } ?? [], files: 1, of: 8, size: 64)
            let pushed = try member.command { remote in
                try member.push([PushedReference(.branch, "main", head)], to: remote).commits
            }
            guard case .success = pushed.result else {
                return member.place.ledger.fault("push \(number): \(pushed.result)")
            }
            greatest = max(greatest, pushed.usage.total)
            if number == next || number == pushes {
                var point = Point()
                point.pushes = number
                point.push = (
                    pushed.usage.total, greatest, pushed.usage.sent, pushed.usage.received
                )
                greatest = 0
                next *= 10
                for jobs in [8, 64] {
                    let clone = try member.command(jobs: jobs) { remote in
                        guard let tip = try remote.tip(.branch, "main")?.entry else {
                            return (0, 0)
                        }
                        _ = try LightClone.read("main", of: remote)
                        return (tip.bundles.count, tip.encoded.count)
                    }
                    guard case .success(let sizes) = clone.result else {
                        return member.place.ledger.fault("clone: \(clone.result)")
                    }
                    (point.bundles, point.entry) = sizes
                    // The tip was asked for once more, for its size.
                    point.clone.requests = clone.usage.total - clone.usage[.list] / 2 - 1
                    point.clone.received = clone.usage.received
                    if jobs == 8 {
                        point.clone.narrow = Double(clone.duration) / 1e6
                    } else {
                        point.clone.wide = Double(clone.duration) / 1e6
                    }
                }
                say(point)
            }
            if let before { member.store.history.compact(before) }
        }
    }
}
