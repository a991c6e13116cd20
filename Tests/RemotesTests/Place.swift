import Elements
import Glibc
import Remotes
import TestSupport
import Testing

/// The kinds of remotes that the conformance suite runs on, as far as they are there.
enum Place: String, CaseIterable, CustomTestStringConvertible {
    case memory, file, seaweedfs, radosgw

    /// Servers are there when tools/test started them.
    static let available: [Place] = allCases.filter {
        $0 == .memory || $0 == .file || TestServer.endpoints[$0.rawValue] != nil
    }

    var testDescription: String { rawValue }

    /// Runs `body` with a new, empty remote.
    func with<Result>(_ body: (any Transport) throws -> Result) throws -> Result {
        switch self {
        case .memory: try body(MemoryTransport())
        case .file: try withScratchDirectory { try body(FileRemote($0 + "/remote")) }
        case .seaweedfs, .radosgw: try body(TestServer(rawValue).remote())
        }
    }
}

/// A server that `tools/remotes/start` started.
struct TestServer {
    /// By names: `CAMBIUM_TEST_REMOTES` is `seaweedfs=http://127.0.0.1:… rclone=…`.
    static let endpoints: [String: String] = {
        guard let text = unsafe getenv("CAMBIUM_TEST_REMOTES") else { return [:] }
        return Dictionary(
            unsafe String(cString: text).split(separator: " ").compactMap { word in
                let parts = word.split(separator: "=", maxSplits: 1)
                return parts.count == 2 ? (String(parts[0]), String(parts[1])) : nil
            }, uniquingKeysWith: { $1 })
    }()

    static func isThere(_ name: String) -> Bool { endpoints[name] != nil }

    struct Missing: Error { let name: String }

    let endpoint: String

    init(_ name: String) throws {
        guard let endpoint = Self.endpoints[name] else { throw Missing(name: name) }
        self.endpoint = endpoint
    }

    /// Of all test servers.
    static let variables = [
        "AWS_ACCESS_KEY_ID": "cambium", "AWS_SECRET_ACCESS_KEY": "cambium-secret",
    ]

    /// Below a prefix of its own, with a character that has to be spelled.
    func remote(
        prefix: String = "test \(UInt64.random(in: 0 ... .max))+ü", endpoint: String? = nil,
        traffic: Traffic = Traffic(), retries: RetryPolicy = RetryPolicy(),
        variables: [String: String] = Self.variables,
        _ change: (inout RemoteOptions) -> Void = { _ in }
    ) throws -> any Transport {
        var options = RemoteOptions()
        options.endpoint = endpoint ?? self.endpoint
        change(&options)
        return try RemoteAddress("s3://cambium/\(prefix)").open(
            options, traffic: traffic, retries: retries
        ) { variables[$0] }
    }
}
