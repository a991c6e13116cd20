import Foundation
import Glibc
import Remotes
import TestSupport

/// `tools/remotes/proxy`, between a client and a server of the tests.
final class FaultProxy {
    let endpoint: String
    private let process: RunningProgram
    /// It ends when this does.
    private let input: TestPipe

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
        let options = tls.map { ["--tls", $0.certificate, $0.key] } ?? []
        let output = try TestPipe()
        input = try TestPipe()
        process = try RunningProgram(
            "python3", [program.path] + options + [upstream ?? "-"] + rules,
            input: .descriptor(input.reading), output: output.stream)
        output.closeWriting()
        endpoint = output.line()
        guard endpoint.hasPrefix("http") else { throw Failure() }
    }

    deinit {
        process.send(SIGKILL)
        process.wait()
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
