import Elements
import Files
import Foundation
import Remotes
import Synchronization
import TestSupport
import Testing

/// Answers that no server should give, and those that say what is wrong.
@Suite("Answers of servers")
struct S3AnswerTests {
    private static let date = "Date: Mon, 30 Nov 2026 08:10:20 GMT\r\n"

    private func text(
        _ status: String, _ headers: String = "", _ body: String = "", length: Int? = nil
    ) -> String {
        "HTTP/1.1 \(status)\r\n\(Self.date)\(headers)Content-Length: \(length ?? body.utf8.count)\r\n\r\n\(body)"
    }

    private func fault(_ code: String, _ more: String = "") -> String {
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>\(code)</Code><Message>Some words.</Message>\(more)</Error>"
    }

    /// Runs `body` with a remote whose requests get these answers, the last one again and again.
    private func answering<Result>(
        _ answers: String..., traffic: Traffic = Traffic(),
        _ body: (any Transport) throws -> Result
    ) throws -> Result {
        try withScratchDirectory { directory in
            var rules: [String] = []
            for (number, answer) in answers.enumerated() {
                let path = "\(directory)/\(number)"
                try writeFile(Array(answer.utf8), to: path)
                rules.append("\(number + 1)\(number == answers.count - 1 ? "+" : ""):raw:\(path)")
            }
            let proxy = try FaultProxy(nil, rules)
            var options = RemoteOptions()
            options.endpoint = proxy.endpoint
            let remote = try RemoteAddress("s3://cambium/x").open(
                options, traffic: traffic, retries: .quick
            ) { TestServer.variables[$0] }
            let result = try body(remote)
            withExtendedLifetime(proxy) {}
            return result
        }
    }

    private func failure(_ answer: String, _ body: (any Transport) throws -> Void) throws
        -> CambiumError?
    {
        try answering(answer) { remote in #expect(throws: CambiumError.self) { try body(remote) } }
    }

    @Test("a range is that range or an error")
    func ranges() throws {
        func read(_ answer: String) throws -> CambiumError? {
            try failure(answer) { _ = try $0.read("key", 2..<5, limit: 10) }
        }
        let good = text("206 Partial Content", "Content-Range: bytes 2-4/10\r\n", "abc")
        #expect(
            try answering(good) { try $0.read("key", 2..<5, limit: 10)?.copy() }
                == Array("abc".utf8))
        for wrong in [
            text("206 Partial Content", "Content-Range: bytes 2-3/4\r\n", "ab"),
            text("206 Partial Content", "Content-Range: bytes 0-2/10\r\n", "abc"),
            text("206 Partial Content", "", "abc"),
            text("206 Partial Content", "Content-Range: bytes 2-4/10\r\n", "ab"),
            text("206 Partial Content", "Content-Range: bytes 2-4/10\r\n", "abcdef"),
            text("416 Range Not Satisfiable"),
        ] {
            #expect(try read(wrong)?.code == .network, "\(wrong)")
        }
        for whole in [text("200 OK", "", "abc"), text("200 OK", "", "0123456789")] {
            let error = try read(whole)
            #expect(error?.code == .remote)
            #expect(error?.message.contains("the whole object where a range") == true)
        }
    }

    @Test("bodies that are too long, cut off or without an end are errors")
    func bodies() throws {
        func read(_ answer: String) throws -> CambiumError? {
            try failure(answer) { _ = try $0.read("key", nil, limit: 10) }
        }
        #expect(
            try read(text("200 OK", "", "0123456789A"))?.message.contains("more than the 10")
                == true)
        #expect(try read(text("200 OK", "", "01", length: 1 << 40))?.code == .network)
        #expect(
            try read(text("200 OK", "", "0123", length: 8))?.message.contains("4 tries") == true)
        #expect(try read("HTTP/1.1 200 OK\r\n\r\n0123")?.message.contains("may be cut off") == true)
        let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"
        #expect(try read(chunked)?.code == .network)
        #expect(
            try answering(chunked + "0\r\n\r\n") { try $0.read("key", nil, limit: 3)?.copy() }
                == Array("abc".utf8))
        #expect(try read("nonsense")?.code == .network)
        let flood = (0..<5_000).map { "X-\($0): \(String(repeating: "y", count: 50))\r\n" }.joined()
        #expect(try read(text("200 OK", flood, "abc"))?.code == .network)
    }

    @Test(
        "errors carry the server's words and what to do",
        arguments: [
            (
                "403 Forbidden", "AccessDenied", CambiumError.Code.denied,
                "list, read, write and delete"
            ),
            ("403 Forbidden", "SignatureDoesNotMatch", .denied, "secret key"),
            ("403 Forbidden", "InvalidAccessKeyId", .denied, "does not know the access key"),
            ("403 Forbidden", "RequestTimeTooSkewed", .denied, "20261130T081020Z"),
            ("400 Bad Request", "ExpiredToken", .denied, "AWS_SESSION_TOKEN"),
            ("404 Not Found", "NoSuchBucket", .remote, "aws s3 mb s3://cambium"),
            ("301 Moved Permanently", "PermanentRedirect", .remote, "--region eu-west-3"),
            ("400 Bad Request", "AuthorizationHeaderMalformed", .remote, "--region eu-west-3"),
            ("400 Bad Request", "EntityTooLarge", .remote, "EntityTooLarge"),
            ("501 Not Implemented", "NotImplemented", .remote, "--single-writer"),
            ("409 Conflict", "ConditionalRequestConflict", .network, "4 tries"),
            ("503 Slow Down", "SlowDown", .network, "503 SlowDown"),
        ])
    func errors(_ status: String, _ name: String, _ expected: CambiumError.Code, _ words: String)
        throws
    {
        let error = try failure(text(status, "", fault(name, "<Region>eu-west-3</Region>"))) {
            _ = try $0.create("key", TransportBody([1]))
        }
        #expect(error?.code == expected)
        #expect(error?.message.contains(words) == true, "\(error?.message ?? "")")
    }

    @Test("a redirection is not followed")
    func redirection() throws {
        let traffic = Traffic()
        let error = try answering(
            text(
                "307 Temporary Redirect",
                "Location: http://127.0.0.1:9/x\r\nx-amz-bucket-region: eu-west-3\r\n"),
            traffic: traffic
        ) { remote in
            #expect(throws: CambiumError.self) { try remote.write("key", TransportBody([1])) }
        }
        #expect(error?.code == .remote)
        #expect(error?.message.contains("--region eu-west-3") == true)
        #expect(traffic.requests == 1)
    }

    /// What was sent, whenever something was.
    private final class Steps: Sendable {
        let state = Mutex((traffic: Traffic?.none, sent: [0]))

        func note() {
            state.withLock { state in
                if let sent = state.traffic?.bytes.sent { state.sent.append(sent) }
            }
        }
    }

    @Test("a limit of the rate is kept evenly, not in bursts")
    func evenRate() throws {
        let steps = Steps()
        let traffic = Traffic(rate: 200_000) {
            steps.note()
            return false
        }
        steps.state.withLock { $0.traffic = traffic }
        let bytes = [UInt8](repeating: 7, count: 100_000)
        try answering(text("200 OK"), traffic: traffic) { remote in
            try remote.write("key", TransportBody(bytes))
        }
        let sent = steps.state.withLock { state in
            state.traffic = nil
            return state.sent
        }
        #expect(sent.last == 100_000)
        #expect(zip(sent, sent.dropFirst()).allSatisfy { $1 - $0 <= 10_000 }, "\(sent)")
    }

    @Test("a conflict of two creators is asked again, a failed condition is an answer")
    func conditions() throws {
        let conflict = text("409 Conflict", "", fault("ConditionalRequestConflict"))
        #expect(
            try answering(conflict, text("200 OK")) { try $0.create("key", TransportBody([1])) })
        let met = text("412 Precondition Failed", "", fault("PreconditionFailed"))
        #expect(try !answering(conflict, met) { try $0.create("key", TransportBody([1])) })
    }

    @Test("a host that has no address is looked up again and again, and said to have none")
    func unknownHost() throws {
        var options = RemoteOptions()
        options.endpoint = "http://no-such-host.invalid:9"
        let remote = try RemoteAddress("s3://cambium/x").open(options, retries: .quick) {
            TestServer.variables[$0]
        }
        for _ in 0..<2 {
            let error = #expect(throws: CambiumError.self) {
                try remote.read("key", nil, limit: 10)
            }
            #expect(error?.code == .network)
            #expect(error?.message.contains("Could not resolve host") == true)
        }
    }

    private func page(_ items: String, _ truncated: String = "false") -> String {
        "<ListBucketResult xmlns=\"http://s3\"><EncodingType>url</EncodingType>\(items)<IsTruncated>\(truncated)</IsTruncated></ListBucketResult>"
    }

    private func item(_ key: String, size: String = "1", time: String = "2026-11-30T08:10:20.000Z")
        -> String
    {
        "<Contents><Key>\(key)</Key><LastModified>\(time)</LastModified><ETag>&#34;a&#34;</ETag><Size>\(size)</Size></Contents>"
    }

    @Test("a list is read, and what is none of ours is passed over")
    func lists() throws {
        let items = ["x/b", "x/a", "y/other", "x/not%20ours", "x/", "x/.cambium-1.tmp"].map {
            item($0)
        }.joined()
        let listing = try answering(text("200 OK", "", page(items))) { try $0.list("", after: nil) }
        #expect(
            listing
                == TransportListing(
                    entries: ["a", "b"].map {
                        TransportEntry(key: $0, size: 1, modified: 1_796_026_220)
                    }, next: nil, now: 1_796_026_220))
        // A page of nothing but others' keys is passed over, and the next one is asked for.
        let next = try answering(
            text("200 OK", "", page(item("x/not%20ours"), "true")),
            text("200 OK", "", page(item("x/z"), "true"))
        ) { try $0.list("", after: nil) }
        #expect(next.entries.map(\.key) == ["z"] && next.next == "z")
    }

    @Test("a list that makes no sense is an error")
    func badLists() throws {
        let deep = String(repeating: "<a>", count: 5_000)
        let bad = [
            "", "nonsense", "<ListBucketResult>", page(""), page("", "true"), page("", "perhaps"),
            page(item("x/a", size: "-1")), page(item("x/a", size: "1e9")),
            page(item("x/a", size: "")),
            page(item("x/a", time: "yesterday")), page(item("x/a", time: "2026-13-30T08:10:20Z")),
            page(item("x/a%2")), page(item("x/a%zz")), page("<Contents></Contents>"),
            page(item("x/&unknown;")), page(item("x/&#65;")), page(item("x/a")) + "<more/>",
            "<!DOCTYPE a [<!ENTITY b \"c\">]>" + page(item("x/&b;")), deep, page(deep),
            page("<a") + ">", page("<a></b>"), page("<a b=\"c></a>"),
            "<Error><Code>x</Code></Error>",
            page(String(repeating: "<a/>", count: 30_000)),
        ]
        for text in bad where text != page("") {
            let error = try failure(self.text("200 OK", "", text)) {
                _ = try $0.list("", after: nil)
            }
            #expect(error?.code == .network, "\(text.prefix(100))")
        }
        // It begins again and again.
        let again = try failure(text("200 OK", "", page(item("x/a"), "true"))) {
            _ = try $0.list("", after: "a")
        }
        #expect(again?.code == .network)
        let huge = page(String(repeating: " ", count: 5 << 20))
        #expect(
            try failure(text("200 OK", "", huge)) { _ = try $0.list("", after: nil) }?.code
                == .network)
    }

    @Test("a list that would never end is an error")
    func endlessLists() throws {
        // Nothing but others' keys, or ours, that go on behind one another in a circle.
        for (first, second) in [("y/a", "y/b"), ("x/a", "x/b")] {
            let pages = [first, second].map { text("200 OK", "", page(item($0), "true")) }
            let traffic = Traffic()
            let error = try withScratchDirectory { directory in
                var rules: [String] = []
                for number in 0..<2 {
                    let path = "\(directory)/\(number)"
                    try writeFile(Array(pages[number].utf8), to: path)
                    rules += (0..<6).map { "\(2 * $0 + number + 1):raw:\(path)" }
                }
                let proxy = try FaultProxy(nil, rules)
                var options = RemoteOptions()
                options.endpoint = proxy.endpoint
                let remote = try RemoteAddress("s3://cambium/x").open(
                    options, traffic: traffic, retries: .quick
                ) { TestServer.variables[$0] }
                let error = #expect(throws: CambiumError.self) { try Remote(remote).list("") }
                withExtendedLifetime(proxy) {}
                return error
            }
            #expect(error?.code == .network)
            #expect(traffic.requests <= 4, "\(error?.message ?? "")")
        }
    }

    @Test("entries need a length and a time, and the server a clock")
    func heads() throws {
        let modified = "Last-Modified: Sun, 29 Nov 2026 23:59:59 GMT\r\n"
        let found = try answering(text("200 OK", modified, length: 77)) { try $0.entry("key") }
        #expect(found?.entry == TransportEntry(key: "key", size: 77, modified: 1_795_996_799))
        #expect(found?.now == 1_796_026_220)
        for answer in [
            text("200 OK", length: 77), text("200 OK", "Last-Modified: today\r\n", length: 77),
            "HTTP/1.1 200 OK\r\n\(modified)\r\n",
            "HTTP/1.1 200 OK\r\n\(modified)Content-Length: 1\r\n\r\n",
        ] {
            #expect(try failure(answer) { _ = try $0.entry("key") }?.code == .network, "\(answer)")
        }
        #expect(try answering(text("404 Not Found")) { try $0.entry("key") } == nil)
    }
}

/// Certificates are checked, always.
@Suite("TLS of remotes")
struct RemoteTLSTests {
    private func certificate(_ name: String, in directory: String) throws -> (
        certificate: String, key: String
    ) {
        let (certificate, key) = ("\(directory)/\(name).pem", "\(directory)/\(name).key")
        let end = try RunningProgram(
            "openssl",
            [
                "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out",
                certificate,
                "-days", "2", "-subj", "/CN=\(name)", "-addext", "subjectAltName=IP:127.0.0.1",
            ], errors: .file("/dev/null")
        ).wait()
        #expect(end.status == 0)
        return (certificate, key)
    }

    @Test("a server is believed only with a certificate that is trusted")
    func trust() throws {
        try withScratchDirectory { directory in
            let (mine, other) = (
                try certificate("mine", in: directory), try certificate("other", in: directory)
            )
            let path = directory + "/answer"
            try writeFile(Array("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc".utf8), to: path)
            let proxy = try FaultProxy(nil, ["*:raw:\(path)"], tls: mine)
            func read(_ caFile: String?, variable: String? = nil) throws -> [UInt8]? {
                var options = RemoteOptions()
                options.endpoint = proxy.endpoint
                options.caFile = caFile
                var variables = TestServer.variables
                variables["AWS_CA_BUNDLE"] = variable
                return try RemoteAddress("s3://cambium").open(options, retries: .quick) {
                    variables[$0]
                }.read("key", nil, limit: 3)?.copy()
            }
            #expect(proxy.endpoint.hasPrefix("https://"))
            #expect(try read(mine.certificate) == Array("abc".utf8))
            #expect(try read(nil, variable: mine.certificate) == Array("abc".utf8))
            for wrong in [nil, other.certificate] {
                let error = #expect(throws: CambiumError.self) { try read(wrong) }
                #expect(error?.code == .network)
                #expect(error?.message.contains("s3://cambium") == true, "\(error?.message ?? "")")
            }
        }
    }
}
