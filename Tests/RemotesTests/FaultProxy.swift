import Foundation
import Glibc
import Remotes

/// `tools/remotes/proxy`, between a client and a server of the tests.
final class FaultProxy {
    let endpoint: String
    private let process = Process()
    private let input = Pipe()

    struct Failure: Error {}

    /// - Parameters:
    ///   - upstream: Nil where it answers everything itself.
    ///   - rules: As `1:status:503`.
    ///   - tls: A certificate and its key.
    init(
        _ upstream: String?, _ rules: [String], tls: (certificate: String, key: String)? = nil
    ) throws {
        let program = URL(filePath: #filePath).deletingLastPathComponent().appending(
            path: "../../tools/remotes/proxy"
        ).standardizedFileURL
        process.executableURL = URL(filePath: "/usr/bin/env")
        let options = tls.map { ["--tls", $0.certificate, $0.key] } ?? []
        process.arguments = ["python3", program.path] + options + [upstream ?? "-"] + rules
        let output = Pipe()
        process.standardInput = input
        process.standardOutput = output
        try process.run()
        var line = Data()
        while let byte = try output.fileHandleForReading.read(upToCount: 1), byte != Data([10]) {
            guard !byte.isEmpty else { break }
            line += byte
        }
        endpoint = String(decoding: line, as: UTF8.self)
        guard endpoint.hasPrefix("http") else { throw Failure() }
    }

    deinit {
        // Threads of libdispatch block other signals, and so do the programs that they start.
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }
}

extension RetryPolicy {
    /// Tries often and waits little.
    static var quick: RetryPolicy {
        var policy = RetryPolicy()
        policy.attempts = 4
        policy.first = .milliseconds(1)
        policy.longest = .milliseconds(20)
        return policy
    }
}
