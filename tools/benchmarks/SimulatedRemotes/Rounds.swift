internal import Elements
internal import Objects
internal import Remotes
internal import Snapshots
internal import Synchronization

/// Thousands of tasks that each push rounds of training to one of many branches, for days, with collections going on;
/// at the end one commit merges all branches.
///
/// The pushes, the logs, the bundles, the indexes and the collections are the real ones; models are files of a few bytes
/// that stand for many, and tasks know what leads to their branch without reading it.
package struct Rounds: Sendable {
    package var pushers = 10_000
    package var branches = 1_000
    package var commits = 100
    package var days = 4
    /// Hours between two collections, and their grace period.
    package var pause = 6
    package var grace = 24
    package var files = 64
    /// Bytes of a file, and what each stands for.
    package var fileSize = 640
    package var scale = 16_384
    /// Shares of requests whose answer is lost, and of tasks that are killed somewhere.
    package var lost = 0.001
    package var killed = 0.0005
    package var seed: UInt64 = 1

    package init() {}

    package struct Report: Sendable {
        package var costs: [String: Costs] = [:]
        package var events: [String: Int] = [:]
        package var usage = Usage()
        /// Keys and bytes at the end of each day.
        package var days: [(keys: Int, bytes: Int)] = []
        package var faults: [String] = []
        package var commits = 0
        package var merged: (requests: Int, seconds: Double, entry: Int, bundles: Int) = (
            0, 0, 0, 0
        )
    }

    private final class Tally: Sendable {
        let state = Mutex(Report())

        func note<Value>(_ what: String, _ outcome: Member.Outcome<Value>) {
            state.withLock { state in
                state.usage = state.usage + outcome.usage
                switch outcome.result {
                case .success: state.costs[what, default: Costs()].add(outcome)
                case .failure(let error):
                    let why = outcome.isKilled ? "killed" : "\(error.code)"
                    state.events["\(what): \(why)", default: 0] += 1
                }
            }
        }

        func note(_ what: String) { state.withLock { $0.events[what, default: 0] += 1 } }
        func fault(_ text: String) { state.withLock { $0.faults.append(text) } }
    }

    private static let hour: Int64 = 3_600_000_000

    package func run(_ say: @escaping @Sendable (String) -> Void) throws -> Report {
        let chance = Chance(seed)
        let place = SimulatedPlace(Ledger(), scale: scale)
        let timeline = Timeline()
        let history = History()
        let tally = Tally()
        var network = Network.fair
        network.lostAfter = lost / 2
        network.lostBefore = lost / 2
        network.killedBefore = killed / 2
        network.killedAfter = killed / 2
        network.burst = 2_000_000
        network.burstEvery = 3_600_000_000
        let faulty = network
        let span = Int64(days) * 24 * Self.hour
        // The model that all begin with.
        let first = Member(
            "first", LightStore(history, group: 8), place, timeline, .fair, chance.split())
        timeline.begin(at: 0) {
            self.attempt(tally) {
                _ = try first.commit(to: "main", [], files: files, of: files, size: fileSize)
                self.push("first", "main", first, tally)
            }
        }
        timeline.run()
        guard let base = first.store.branches["main"] else { return tally.state.withLock { $0 } }
        for number in 0..<pushers {
            let branch = "train/\(number % branches)"
            let chance = chance.split()
            let begin = Self.hour + Int64(chance.fraction() * Double(span))
            timeline.begin(at: begin) {
                let member = Member(
                    "t\(number)", LightStore(history, group: 8), place, timeline, faulty, chance,
                    skew: Int64(chance.below(600)) - 300)
                member.store.add([base])
                member.store.track("main", base)
                self.attempt(tally) { try self.work(branch, base, member, tally) }
            }
        }
        // It asks for so much that one kill in 2,000 requests would end each.
        var lossy = faulty
        lossy.killedBefore = 0
        lossy.killedAfter = 0
        let collector = Member(
            "gc", LightStore(history), place, timeline, lossy, chance.split())
        timeline.begin(at: Self.hour * 12) {
            while let line = Timeline.current, line.now < span + Self.hour {
                self.attempt(tally) { try self.collect(collector, tally) }
                timeline.wait(line, until: line.now + Int64(self.pause) * Self.hour)
            }
        }
        for day in 1...days {
            timeline.act(at: Self.hour + Int64(day) * 24 * Self.hour) {
                let figures = (place.keys("").count, place.sizes.now)
                tally.state.withLock { $0.days.append(figures) }
                say("day \(day): \(figures.0) keys, \(figures.1) bytes")
            }
        }
        timeline.run()
        let merger = Member(
            "merge", LightStore(history, group: 8), place, timeline, .fair, chance.split())
        timeline.begin(at: span + 4 * Self.hour) {
            self.attempt(tally) { try self.merge(base, merger, tally) }
        }
        timeline.run()
        place.ledger.finish(history)
        return tally.state.withLock { report in
            report.faults += place.ledger.faults
            report.commits = history.count
            return report
        }
    }

    private func attempt(_ tally: Tally, _ body: () throws -> Void) {
        do { try body() } catch { tally.fault("\(error)") }
    }

    @discardableResult
    private func push(_ what: String, _ branch: String, _ member: Member, _ tally: Tally)
        -> CambiumError?
    {
        do {
            let outcome = try member.command(packSize: Remote.defaultPackSize / scale) { remote in
                _ = try member.push(
                    [PushedReference(.branch, branch, member.store.branches[branch])], to: remote)
            }
            tally.note(what, outcome)
            if case .failure(let error) = outcome.result { return error }
        } catch {
            tally.fault("\(error)")
        }
        return nil
    }

    /// A task: begins where its branch is, trains, and pushes; who lost takes in what won, and pushes again.
    private func work(
        _ branch: String, _ base: ObjectID, _ member: Member, _ tally: Tally
    ) throws {
        guard let line = Timeline.current else { return }
        let store = member.store
        let start = try look(branch, member, tally) ?? base
        var head = start
        // From minutes to hours of training.
        member.timeline.wait(
            line, until: line.now + Int64((0.1 + 4 * member.chance.fraction()) * Double(Self.hour)))
        // Of commits that no other task begins with, nothing is needed but what leads to them.
        var inner: [ObjectID] = []
        for _ in 0..<commits {
            if head != start { inner.append(head) }
            let content = try History.Content(seed: member.chance.next(), count: fileSize)
            head = try member.commit(to: branch, [head], [member.chance.below(files): content])
        }
        for _ in 0..<50 {
            guard let error = push("push", branch, member, tally) else {
                for id in inner { store.history.compact(id) }
                return
            }
            switch error.code {
            case .branchMoved:
                tally.note("merged after another push")
                if let theirs = try look(branch, member, tally), theirs != head {
                    inner.append(head)
                    head = try member.commit(to: branch, [head, theirs], [:])
                }
            case .network:
                // Requeued, it begins again with what its store has.
                member.timeline.wait(line, until: line.now + 60_000_000)
            default: return tally.fault("\(member.name): \(error)")
            }
        }
        tally.fault("\(member.name) never got through")
    }

    /// Where the branch is on the remote.
    private func look(_ branch: String, _ member: Member, _ tally: Tally) throws -> ObjectID? {
        for _ in 0..<10 {
            let outcome = try member.command { try $0.tip(.branch, branch)?.entry.commit }
            tally.note("look", outcome)
            guard case .success(let tip) = outcome.result else { continue }
            if let tip {
                member.store.add([tip])
                member.store.track(branch, tip)
            }
            return tip
        }
        return nil
    }

    private func collect(_ member: Member, _ tally: Tally) throws {
        let outcome = try member.command(jobs: 16) {
            try RemoteCollection($0, grace: Int64(grace) * 3600, clock: Member.clock).run(
                prune: true)
        }
        tally.note("collection", outcome)
        if case .success(let report) = outcome.result {
            tally.state.withLock {
                $0.events["keys marked", default: 0] += report.marked.keys
                $0.events["keys removed", default: 0] += report.removed.keys
            }
        }
    }

    /// One commit that builds on all branches.
    private func merge(_ base: ObjectID, _ member: Member, _ tally: Tally) throws {
        guard let line = Timeline.current else { return }
        let began = line.now
        let store = member.store
        let found = try member.command(jobs: 16) { try $0.tips(.branch) }
        tally.note("merge: look", found)
        guard case .success(let tips) = found.result else { return }
        for tip in tips {
            guard let commit = tip.entry.commit else { continue }
            store.add([commit])
            store.track(tip.name, commit)
        }
        store.add([base])
        let others = tips.filter { $0.name != "main" }.compactMap(\.entry.commit)
        _ = try member.commit(to: "main", [base] + others, [:])
        let pushed = try member.command(jobs: 16, packSize: Remote.defaultPackSize / scale) {
            _ = try member.push([PushedReference(.branch, "main", store.branches["main"])], to: $0)
        }
        tally.note("merge: push", pushed)
        guard case .success = pushed.result else { return tally.fault("merge: \(pushed.result)") }
        let requests = found.usage.total + pushed.usage.total
        let seconds = Double(line.now - began) / 1e6
        let tip = try member.command { try $0.tip(.branch, "main") }
        guard case .success(let entry?) = tip.result else { return tally.fault("no merged head") }
        tally.state.withLock {
            $0.merged = (
                requests, seconds, entry.entry.encoded.count, entry.entry.bundles.count
            )
        }
    }
}
