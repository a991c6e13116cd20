internal import Elements
internal import Objects
internal import Remotes
internal import Snapshots

/// What a member of a random schedule does.
struct MemberWork: Sendable {
    let member: Member
    let branches: [String]
    let tally: Tally

    private static let hour: Int64 = 3_600_000_000
    private static let files = 5
    /// Microseconds after which what was read may be gone: the shortest grace period.
    private static let patience = RemoteCollection.shortestGrace * 1_000_000

    private var chance: Chance { member.chance }

    func run(_ operations: Int, within span: Int64) {
        guard let line = Timeline.current else { preconditionFailure("no line of a timeline") }
        do {
            for _ in 0..<operations {
                let rest = Double(span) / Double(operations)
                member.timeline.wait(
                    line, until: line.now + Int64(chance.fraction() * rest * 1.5))
                try operate()
            }
        } catch {
            tally.fault("\(member.name): \(error)")
        }
    }

    private func operate() throws {
        let branch = chance.pick(branches)
        switch chance.below(20) {
        case 0..<12:
            try develop(branch)
            try push([branch])
        case 12:
            try develop(branch)
            try push([branch], force: true)
        case 13:
            for branch in branches { try develop(branch) }
            try push(branches)
        case 14: try remove(branch)
        case 15: try again()
        default: _ = try fetch(branch)
        }
    }

    private func command<Value: Sendable>(
        _ what: String, _ body: (Remote) throws -> Value
    ) throws -> Value? {
        // One request at a time, or several; packs of one object, or of many.
        let outcome = try member.command(
            jobs: chance.pick([1, 1, 3]), packSize: chance.pick([40, 100, 4096]), body)
        tally.note(what, outcome)
        switch outcome.result {
        case .success(let value): return value
        case .failure(let error):
            let isExpected =
                switch error.code {
                case .network, .branchMoved, .busy: true
                // Who takes longer than the grace period may find things gone, and must be told.
                case .corrupt: outcome.duration >= Self.patience
                default: false
                }
            if !isExpected { tally.fault("\(member.name), \(what): \(error)") }
            return nil
        }
    }

    private func fetch(_ branch: String) throws -> ObjectID? {
        try command("fetch") { try member.fetch(branch, from: $0) } ?? nil
    }

    /// Some commits on a branch: changes, reverts, merges.
    private func develop(_ branch: String) throws {
        let store = member.store
        if store.branches[branch] == nil, chance.happens(0.8) {
            // Mostly people begin with what is there.
            if let tip = try fetch(branch) ?? store.remoteBranches().values.sorted().first {
                store.set(branch, tip)
            }
        }
        for _ in 0..<(1 + chance.below(2)) {
            var parents = store.branches[branch].map { [$0] } ?? []
            let head = parents.first.flatMap { store.history[$0] }
            if chance.happens(0.15), let before = head?.parents.first.flatMap({ store.history[$0] })
            {
                // A revert has no data of its own.
                var changes: [Int: History.Content] = [:]
                for (position, content) in before.model.enumerated() { changes[position] = content }
                _ = try member.commit(to: branch, parents, changes)
                continue
            }
            if !parents.isEmpty, chance.happens(0.2) {
                let others = Set(store.remoteBranches().values).subtracting(parents).sorted()
                parents += others.filter { !store.isAncestor($0, of: parents[0]) }.prefix(3)
            }
            _ = try member.commit(
                to: branch, parents, files: 1 + chance.below(3), of: Self.files, size: 24)
        }
    }

    private func push(_ names: [String], force: Bool = false) throws {
        for attempt in 0..<5 {
            let references = names.compactMap { name in
                member.store.branches[name].map { PushedReference(.branch, name, $0) }
            }
            let done = try command("push") {
                try member.push(references, to: $0, force: force).updates.count
            }
            if done != nil { return }
            guard chance.happens(0.8), attempt < 4 else { return }
            guard let line = Timeline.current else { return }
            // Some try again at once, others the next day.
            let most = chance.pick([0.01, 1, 40])
            member.timeline.wait(
                line, until: line.now + Int64(chance.fraction() * most * Double(Self.hour)))
            for name in names where chance.happens(0.8) { try merge(name) }
        }
    }

    /// Takes in what others pushed.
    private func merge(_ branch: String) throws {
        let store = member.store
        guard let mine = store.branches[branch], let theirs = try fetch(branch),
            !store.isAncestor(theirs, of: mine)
        else { return }
        if store.isAncestor(mine, of: theirs) { return store.set(branch, theirs) }
        _ = try member.commit(to: branch, [mine, theirs], [:])
    }

    private func remove(_ branch: String) throws {
        _ = try command("remove") {
            try member.push([PushedReference(.branch, branch, nil)], to: $0).updates.count
        }
        if chance.happens(0.5) { member.store.set(branch, nil) }
    }

    /// Pushes what is there, as who was cut off does.
    private func again() throws {
        let names = member.store.branches.keys.sorted()
        if !names.isEmpty { try push(names) }
    }
}

/// Collections of a random schedule.
struct CollectionWork: Sendable {
    let member: Member
    let grace: Int64
    /// Hours between two collections, about.
    let pause: Double
    let tally: Tally

    private static let hour: Int64 = 3_600_000_000

    func run(until end: Int64) {
        guard let line = Timeline.current else { preconditionFailure("no line of a timeline") }
        while line.now < end {
            collect(mayFail: true)
            let hours = pause * (0.5 + member.chance.fraction())
            member.timeline.wait(line, until: line.now + Int64(hours * Double(Self.hour)))
        }
    }

    private func collect(mayFail: Bool) {
        do {
            let outcome = try member.command(jobs: member.chance.pick([1, 4])) {
                try RemoteCollection($0, grace: grace, clock: Member.clock).run(prune: true)
                    .removed.keys
            }
            tally.note("collection", outcome)
            guard case .failure(let error) = outcome.result else { return }
            let isExpected = error.code == .network || error.code == .busy
            if !mayFail || !isExpected { tally.fault("\(member.name), collection: \(error)") }
        } catch {
            tally.fault("\(member.name): \(error)")
        }
    }

    /// Removes all garbage, and reads every branch that is there.
    func finish() {
        guard let line = Timeline.current else { preconditionFailure("no line of a timeline") }
        for _ in 0..<8 {
            collect(mayFail: false)
            member.timeline.wait(line, until: line.now + (grace + 3600) * 1_000_000)
        }
        for branch in member.place.ledger.branches() {
            do {
                let outcome = try member.command { try member.fetch(branch, from: $0) }
                if case .failure(let error) = outcome.result {
                    tally.fault("a clone of \(branch): \(error)")
                }
            } catch {
                tally.fault("a clone of \(branch): \(error)")
            }
        }
    }
}
