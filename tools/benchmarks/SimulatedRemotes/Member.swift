package import Elements
package import Objects
package import Remotes
internal import Snapshots

/// Somebody who works with a remote: a store that stays, and processes that come and go.
package final class Member: Sendable {
    package let name: String
    package let store: LightStore
    let place: SimulatedPlace
    let timeline: Timeline
    let network: Network
    let chance: Chance
    /// Seconds by which the clock of this machine is wrong.
    let skew: Int64

    package init(
        _ name: String, _ store: LightStore, _ place: SimulatedPlace, _ timeline: Timeline,
        _ network: Network, _ chance: Chance, skew: Int64 = 0
    ) {
        self.name = name
        self.store = store
        self.place = place
        self.timeline = timeline
        self.network = network
        self.chance = chance
        self.skew = skew
    }

    /// What one command did.
    package struct Outcome<Value: Sendable>: Sendable {
        package let result: Result<Value, CambiumError>
        package let usage: Usage
        /// Microseconds.
        package let duration: Int64
        package let isKilled: Bool
    }

    /// Runs a command as a process of its own.
    package func command<Value: Sendable>(
        jobs: Int = 4, packSize: Int = Remote.defaultPackSize, network: Network? = nil,
        _ body: (Remote) throws -> Value
    ) throws -> Outcome<Value> {
        guard let line = Timeline.current else { preconditionFailure("no line of a timeline") }
        let transport = SimulatedTransport(
            place, timeline, network ?? self.network, chance.split(), client: name)
        var remote = Remote(transport, jobs: jobs, packSize: packSize)
        let chance = chance.split()
        remote.random = { chance.bytes($0) }
        let began = line.now
        let result: Result<Value, CambiumError>
        do {
            result = .success(try body(remote))
        } catch let error as CambiumError {
            result = .failure(error)
        }
        return Outcome(
            result: result, usage: transport.usage, duration: line.now - began,
            isKilled: transport.isDead)
    }

    /// Seconds since 1970, as this machine's clock shows.
    package var time: Int64 {
        SimulatedPlace.seconds(Timeline.current?.now ?? 0) + skew
    }

    /// Seconds that pass, also while a machine sleeps.
    static let clock: @Sendable () -> Int64 = { (Timeline.current?.now ?? 0) / 1_000_000 }

    /// Pushes references, and tells the ledger what was acknowledged.
    package func push(
        _ references: [PushedReference], to remote: Remote, force: Bool = false
    ) throws -> PushReport {
        let push = Push(
            store, to: remote, named: "origin", author: force ? Ledger.forcing(name) : name,
            time: time, clock: Member.clock)
        let report = try push.run(references, force: force)
        for update in report.updates {
            store.track(update.name, update.new)
            guard let commit = update.new else { continue }
            let wanted = references.first { $0.kind == update.kind && $0.name == update.name }
            place.ledger.acknowledge(
                update.kind, update.name, update.isUnchanged ? wanted?.commit ?? commit : commit,
                by: name, store.history, isUnchanged: update.isUnchanged)
        }
        return report
    }

    /// Reads a branch, all of it, and knows it from then on.
    package func fetch(_ branch: String, from remote: Remote) throws -> ObjectID? {
        guard let clone = try LightClone.read(branch, of: remote) else { return nil }
        store.add(clone.commits)
        store.track(branch, clone.tip)
        return clone.tip
    }

    /// Commits new contents of some files on a branch.
    package func commit(
        to branch: String, _ parents: [ObjectID], files: Int, of total: Int, size: Int
    ) throws -> ObjectID {
        var changes: [Int: History.Content] = [:]
        let count = parents.isEmpty ? total : files
        for index in 0..<count {
            changes[parents.isEmpty ? index : chance.below(total)] = try History.Content(
                seed: chance.next(), count: size)
        }
        return try commit(to: branch, parents, changes)
    }

    package func commit(
        to branch: String, _ parents: [ObjectID], _ changes: [Int: History.Content]
    ) throws -> ObjectID {
        let id = try store.history.commit(parents, changing: changes, time: time, author: name)
        store.add([id])
        store.set(branch, id)
        return id
    }
}
