import Elements
import Remotes
import TestSupport
import Testing

/// SeaweedFS behind a proxy that cuts connections, drops answers and answers with errors.
@Suite(
    "Faults between a client and a server",
    .enabled(if: TestServer.isThere("seaweedfs"), "without SeaweedFS"))
struct S3FaultTests {
    private let bytes = noise(300_000, 3)

    /// Runs `body` with a remote behind the proxy, and one beside it.
    private func behind(
        _ rules: String..., traffic: Traffic = Traffic(), retries: RetryPolicy = .quick,
        _ body: (_ faulty: any Transport, _ sound: any Transport) throws -> Void
    ) throws {
        let server = try TestServer("seaweedfs")
        let proxy = try FaultProxy(server.endpoint, rules)
        let prefix = "fault-\(UInt64.random(in: 0 ... .max))"
        try body(
            try server.remote(
                prefix: prefix, endpoint: proxy.endpoint, traffic: traffic, retries: retries),
            try server.remote(prefix: prefix))
        withExtendedLifetime(proxy) {}
    }

    static let momentary = [
        "status:500", "status:502", "status:503", "status:504", "status:429", "status:408",
        "before",
        "after", "request:100000", "answer:10", "answer:0", "twice", "delay:0.2",
    ]

    @Test("a fault that passes is not noticed by any call", arguments: momentary)
    func passing(_ fault: String) throws {
        let body = TransportBody(bytes)
        try behind("1:\(fault)") { remote, sound in
            try remote.write("packs/one", body)
            #expect(try sound.read("packs/one", nil, limit: 1 << 20)?.copy() == bytes)
        }
        try behind("1:\(fault)") { remote, sound in
            try sound.write("packs/one", body)
            #expect(try remote.read("packs/one", nil, limit: 1 << 20)?.copy() == bytes)
        }
        try behind("1:\(fault)") { remote, sound in
            try sound.write("packs/one", body)
            #expect(
                try remote.read("packs/one", 7..<200_007, limit: 1 << 20)?.copy()
                    == Array(bytes[7..<200_007]))
        }
        try behind("1:\(fault)") { remote, sound in
            try sound.write("packs/one", body)
            #expect(try remote.list("packs/", after: nil).entries.map(\.key) == ["packs/one"])
        }
        try behind("1:\(fault)") { remote, sound in
            try sound.write("packs/one", body)
            #expect(try remote.entry("packs/one")?.entry.size == bytes.count)
        }
        try behind("1:\(fault)") { remote, sound in
            try sound.write("packs/one", body)
            try remote.delete("packs/one")
            #expect(try sound.entry("packs/one") == nil)
        }
    }

    @Test("a creation is never lost: it says so, or its bytes tell", arguments: momentary)
    func creating(_ fault: String) throws {
        let body = TransportBody(bytes)
        try behind("1:\(fault)") { remote, sound in
            let isNew = try remote.create("refs/1", body)
            #expect(try sound.read("refs/1", nil, limit: 1 << 20)?.copy() == bytes)
            // It met itself where the first one took effect and its answer was lost.
            let isLost = ["after", "answer:10", "answer:0", "twice"].contains(fault)
            #expect(isNew || isLost)
            #expect(try !remote.create("refs/1", TransportBody([1])))
            #expect(try sound.read("refs/1", nil, limit: 1 << 20)?.copy() == bytes)
        }
    }

    @Test(
        "a fault that stays is an error after a few tries",
        arguments: ["status:503", "status:500", "before", "after", "request:5", "answer:5"])
    func staying(_ fault: String) throws {
        let traffic = Traffic()
        try behind("*:\(fault)", traffic: traffic) { remote, sound in
            try sound.write("packs/one", TransportBody(bytes))
            let before = traffic.requests
            let failure = #expect(throws: CambiumError.self) {
                try remote.read("packs/one", nil, limit: 1 << 20)
            }
            #expect(failure?.code == .network)
            #expect(failure?.message.contains("4 tries") == true, "\(failure?.message ?? "")")
            #expect(traffic.requests - before == 4)
            // A body that is not read to its end costs what it costs, no more.
            #expect(traffic.bytes.received < 5 * bytes.count)
        }
    }

    @Test("a server's Retry-After is kept, and given up when it is too long")
    func retryAfter() throws {
        try behind("1:status:503,1") { remote, _ in
            let start = ContinuousClock.now
            try remote.write("key", TransportBody([1]))
            #expect(ContinuousClock.now - start >= .seconds(1))
        }
        let start = ContinuousClock.now
        try behind("1:status:429,3000") { remote, _ in
            #expect(code { try remote.write("key", TransportBody([1])) } == .network)
        }
        #expect(ContinuousClock.now - start < .seconds(30))
    }

    @Test("whoever waits can be stopped")
    func cancelling() throws {
        let begin = ContinuousClock.now
        let traffic = Traffic { ContinuousClock.now - begin > .milliseconds(500) }
        try behind("*:status:503,60", traffic: traffic) { remote, _ in
            #expect(code { try remote.write("key", TransportBody([1])) } == .cancelled)
        }
        let other = Traffic { ContinuousClock.now - begin > .seconds(2) }
        try behind("*:delay:20", traffic: other) { remote, _ in
            #expect(code { try remote.read("key", nil, limit: 1) } == .cancelled)
        }
        #expect(ContinuousClock.now - begin < .seconds(15))
    }

    @Test("a limit of the rate holds for what is sent and what comes")
    func rate() throws {
        let server = try TestServer("seaweedfs")
        let traffic = Traffic(rate: 1_000_000)
        let remote = try server.remote(traffic: traffic)
        let start = ContinuousClock.now
        try remote.write("key", TransportBody(bytes))
        #expect(try remote.read("key", nil, limit: 1 << 20)?.copy() == bytes)
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        // 600,000 bytes, less a tenth of a second.
        #expect(seconds > 0.45)
        #expect(traffic.bytes == (300_000, 300_000))
        #expect(traffic.requests == 2)
    }
}

@Suite(
    "What a client and a real server agree on",
    .enabled(if: TestServer.isThere("seaweedfs"), "without SeaweedFS"))
struct S3ServerTests {
    private let body = TransportBody([1, 2, 3])

    @Test("wrong keys are denied, and never shown")
    func wrongKeys() throws {
        let server = try TestServer("seaweedfs")
        for variables in [
            ["AWS_ACCESS_KEY_ID": "cambium", "AWS_SECRET_ACCESS_KEY": "hunter2"],
            ["AWS_ACCESS_KEY_ID": "nobody", "AWS_SECRET_ACCESS_KEY": "hunter2"],
        ] {
            let remote = try server.remote(variables: variables)
            let calls: [() throws -> Void] = [
                { try remote.write("key", self.body) }, { _ = try remote.create("key", self.body) },
                { _ = try remote.read("key", nil, limit: 10) }, { _ = try remote.entry("key") },
                { _ = try remote.list("", after: nil) }, { try remote.delete("key") },
            ]
            for call in calls {
                let error = #expect(throws: CambiumError.self) { try call() }
                #expect(error?.code == .denied, "\(error?.message ?? "")")
                #expect(error?.message.contains("hunter2") == false)
                #expect(error?.message.contains("s3://cambium/") == true)
            }
        }
        let anonymous = try server.remote(variables: [:]) { $0.isAnonymous = true }
        #expect(code { try anonymous.read("key", nil, limit: 10) } == .denied)
    }

    @Test("a session token that nobody gave out is denied; a region of any name is signed")
    func signing() throws {
        let server = try TestServer("seaweedfs")
        try server.remote { $0.region = "eu-north-7" }.write("key", body)
        var variables = TestServer.variables
        variables["AWS_SESSION_TOKEN"] = "none"
        let remote = try server.remote(variables: variables)
        #expect(code { try remote.write("key", body) } == .denied)
    }

    @Test("a bucket that is not there is said to be missing")
    func noBucket() throws {
        let server = try TestServer("seaweedfs")
        var options = RemoteOptions()
        options.endpoint = server.endpoint
        let remote = try RemoteAddress("s3://no-such-bucket/x").open(options) {
            TestServer.variables[$0]
        }
        let error = #expect(throws: CambiumError.self) { try remote.read("key", nil, limit: 10) }
        #expect(error?.code == .remote)
        #expect(error?.message.contains("aws s3 mb s3://no-such-bucket") == true)
        #expect(code { try remote.list("", after: nil) } == .remote)
    }

    @Test("the bucket may be a part of the host's name")
    func virtualHost() throws {
        let server = try TestServer("seaweedfs")
        let endpoint = server.endpoint.replacing("127.0.0.1", with: "localhost")
        let prefix = "virtual-\(UInt64.random(in: 0 ... .max))"
        let remote = try server.remote(prefix: prefix, endpoint: endpoint) {
            $0.isVirtualHost = true
        }
        try remote.write("some/key", body)
        #expect(try remote.list("some/", after: nil).entries.map(\.key) == ["some/key"])
        #expect(
            try server.remote(prefix: prefix).read("some/key", nil, limit: 3)?.copy() == [1, 2, 3])
    }

    @Test("nobody listens: an error after a few tries")
    func unreachable() throws {
        let traffic = Traffic()
        // Port 9 (discard) has no server here.
        let remote = try TestServer("seaweedfs").remote(
            endpoint: "http://127.0.0.1:9", traffic: traffic, retries: .quick)
        let error = #expect(throws: CambiumError.self) { try remote.read("key", nil, limit: 10) }
        #expect(error?.code == .network)
        #expect(traffic.requests == 4)
    }
}
