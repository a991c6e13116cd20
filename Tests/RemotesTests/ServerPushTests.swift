import Elements
import Objects
import Remotes
import Snapshots
import TestSupport
import Testing

/// Pushes and fetches of stores on SeaweedFS, through a proxy that does something wrong at each request in turn.
@Suite(
    "Pushes and fetches through connections that fail",
    .enabled(if: TestServer.isThere("seaweedfs"), "without SeaweedFS"))
struct ServerPushTests {
    private func prefix() -> String { "pushed-\(UInt64.random(in: 0 ... .max))" }

    /// A store with two commits, and the number of requests of its push.
    private func withPushed(_ body: (SnapshotStore, Int) throws -> Void) throws {
        try withStore { mine in
            var model = SyntheticModel.sample(experts: 400)
            try mine.commit(model)
            model.trunk["norm"] = .init([16], seed: 3)
            try mine.commit(model)
            let traffic = Traffic()
            try mine.push(
                to: TestServer("seaweedfs").remote(prefix: prefix(), traffic: traffic),
                packSize: 50_000)
            #expect(traffic.requests > 6)
            try body(mine, traffic.requests)
        }
    }

    /// What is pushed there is fetched whole by another.
    private func check(_ mine: SnapshotStore, _ prefix: String, through endpoint: String? = nil)
        throws
    {
        let head = try #require(try mine.references().branches["main"])
        try withStore { theirs in
            try theirs.fetch(
                from: TestServer("seaweedfs").remote(
                    prefix: prefix, endpoint: endpoint, retries: .quick))
            #expect(try theirs.tracked() == head)
            #expect(try theirs.model(at: head, checks: true) == mine.model(at: head))
            #expect(try theirs.faults() == [])
        }
    }

    @Test(
        "what passes is not noticed, at whatever request it comes",
        arguments: ["after", "status:503"])
    func passing(_ fault: String) throws {
        try withPushed { mine, requests in
            let server = try TestServer("seaweedfs")
            for number in 1...requests {
                let prefix = prefix()
                let proxy = try FaultProxy(server.endpoint, ["\(number):\(fault)"])
                try mine.push(
                    to: server.remote(prefix: prefix, endpoint: proxy.endpoint, retries: .quick),
                    packSize: 50_000)
                let other = try FaultProxy(server.endpoint, ["\(number):\(fault)"])
                try check(mine, prefix, through: other.endpoint)
            }
        }
    }

    @Test(
        "a client that is cut off at any request leaves what the next push needs")
    func cutOff() throws {
        try withPushed { mine, requests in
            let server = try TestServer("seaweedfs")
            for number in 1...requests {
                let prefix = prefix()
                let proxy = try FaultProxy(server.endpoint, ["\(number)+:after"])
                let failure = code {
                    try mine.push(
                        to: server.remote(
                            prefix: prefix, endpoint: proxy.endpoint, retries: .quick),
                        packSize: 50_000)
                }
                #expect(failure == .network, "request \(number)")
                try mine.push(to: server.remote(prefix: prefix), packSize: 50_000)
                try check(mine, prefix)
            }
        }
    }
}
