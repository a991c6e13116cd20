import Elements
import Objects
import Remotes
import Snapshots
import TestSupport
import Testing

/// A client that is cut off at each request, one after the other.
@Suite("Cut connections")
struct CutConnectionTests {
    static let faults: [FaultyTransport.Fault] = [
        .failsBefore, .failsAfter, .deadBefore, .deadAfter,
    ]

    @Test("a push that is cut off at any request can be repeated", arguments: faults.indices)
    func push(_ index: Int) throws {
        let fault = Self.faults[index]
        try withStore { mine in
            var model = SyntheticModel.sample(experts: 1_500)
            try mine.commit(model)
            model.trunk["norm"] = .init([16], seed: 3)
            try mine.commit(model)
            var at = 1
            while true {
                let remote = MemoryTransport()
                let faulty = FaultyTransport(remote, fault, at: at)
                // Several packs, so that there is more to be cut.
                let failure = code { try mine.push(to: faulty, packSize: 100_000) }
                if failure == nil, faulty.calls.count < at { break }
                #expect(failure == nil || failure == .network)
                try whole(remote, mine, isPushed: failure == nil)
                try mine.push(to: remote, packSize: 100_000)
                try whole(remote, mine, isPushed: true)
                at += 1
            }
            #expect(at > 8)
            #expect(try mine.faults() == [])
        }
    }

    /// Whatever is there is whole.
    private func whole(
        _ remote: MemoryTransport, _ mine: SnapshotStore, isPushed: Bool
    ) throws {
        let head = try mine.references().branches["main"]
        try withStore { theirs in
            try theirs.fetch(from: remote)
            #expect(try theirs.tracked() == head || !isPushed && theirs.tracked() == nil)
            #expect(try theirs.faults() == [])
            if try theirs.tracked() == head {
                let id = try #require(head)
                #expect(try theirs.model(at: id, checks: true) == mine.model(at: id))
            }
        }
    }

    @Test("a create whose answer was lost and that meets itself is a success")
    func lostAnswer() throws {
        try withStore { mine in
            try mine.commit(.sample())
            let remote = MemoryTransport()
            let faulty = FaultyTransport(remote, .createMeetsItself) { $1.kind == .create }
            try mine.push(to: faulty)
            try whole(remote, mine, isPushed: true)
        }
    }

    @Test("one of two pushes to one branch wins, wherever the other comes between")
    func race() throws {
        try withTwoStores { (mine, theirs) in
            let model = SyntheticModel.sample()
            let base = try mine.commit(model).id
            let origin = MemoryTransport()
            try mine.push(to: origin)
            try theirs.fetch(from: origin)
            var other = model
            other.trunk["norm"] = .init([16], seed: 40)
            let second = try theirs.commit(other, parents: [base], startingBranch: true).id
            other.trunk["norm"] = .init([16], seed: 41)
            try mine.commit(other)
            var at = 1
            while true {
                let remote = MemoryTransport(copying: origin)
                let faulty = FaultyTransport(
                    remote, .meanwhile { try theirs.push(to: remote) }, at: at)
                let failure = code { try mine.push(to: faulty) }
                if faulty.calls.count < at {
                    #expect(failure == nil)
                    break
                }
                #expect(failure == .branchMoved)
                #expect(try Remote(remote).tip(.branch, "main")?.entry.commit == second)
                at += 1
            }
        }
    }

    @Test(
        "a fetch that is cut off at any request leaves the store as it was, and can be repeated",
        arguments: faults.indices)
    func fetch(_ index: Int) throws {
        let fault = Self.faults[index]
        try withStore { mine in
            var model = SyntheticModel.sample(experts: 1_500)
            try mine.commit(model)
            let remote = MemoryTransport()
            try mine.push(to: remote, packSize: 100_000)
            model.trunk["norm"] = .init([16], seed: 3)
            let head = try mine.commit(model).id
            try mine.push(to: remote)
            var at = 1
            while true {
                let isLast = try withStore { theirs in
                    let faulty = FaultyTransport(remote, fault, at: at)
                    let failure = code { try theirs.fetch(from: faulty) }
                    if failure == nil, faulty.calls.count < at { return true }
                    #expect(failure == .network)
                    #expect(try theirs.tracked() == nil)
                    #expect(try theirs.faults() == [])
                    try theirs.fetch(from: remote)
                    #expect(try theirs.tracked() == head)
                    #expect(try theirs.faults() == [])
                    return false
                }
                if isLast { break }
                at += 1
            }
            #expect(at > 8)
        }
    }

    @Test("a remote that lies is found out, and nothing of it is served")
    func lies() throws {
        try withStore { mine in
            var model = SyntheticModel.sample(experts: 1_500)
            model.trunk["head"] = .init([1_000, 64], seed: 3)
            try mine.commit(model)
            for element in 0..<300 { model.trunk["head"]?.bytes[element * 509] &+= 1 }
            let head = try mine.commit(model).id
            let remote = MemoryTransport()
            try mine.push(to: remote)
            for fault in [FaultyTransport.Fault.shortens, .flips, .hides] {
                var at = 1
                while true {
                    let isLast = try withStore { theirs in
                        let faulty = FaultyTransport(remote, fault, at: at)
                        let failure = code { try theirs.fetch(from: faulty) }
                        if faulty.calls.count < at { return true }
                        // A turned bit in what means nothing, such as an author, may pass; a list may be empty.
                        if failure == nil {
                            if try theirs.tracked() == head {
                                #expect(
                                    try theirs.model(at: head, checks: true) == model)
                            }
                        } else {
                            #expect(try theirs.tracked() == nil)
                        }
                        #expect(try theirs.faults() == [])
                        return false
                    }
                    if isLast { break }
                    at += 1
                }
                #expect(at > 5)
            }
        }
    }
}
