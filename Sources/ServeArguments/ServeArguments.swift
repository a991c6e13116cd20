package import ArgumentParser
internal import Reporting

/// What `cambium serve` is told, by the main program and by the server itself.
package struct ServeArguments: ParsableArguments {
    @Argument(
        help: "Revisions to load at the start; others are loaded when they are first asked for.")
    package var revisions: [String] = []

    @Option(help: "The address to listen at. Others than this machine's own need a key.")
    package var host = "127.0.0.1"

    @Option(help: "The port to listen at; 0 for any that is free.")
    package var port = 8080

    @Option(
        help: ArgumentHelp(
            "A file with the key that clients have to show (also CAMBIUM_API_KEY).",
            valueName: "path"))
    package var apiKeyFile: String?

    @Flag(help: "Listen at any address without a key.")
    package var insecure = false

    @Option(
        help: ArgumentHelp(
            "Drop models, and experts, that were not used for long when the process would take more: 2G.",
            valueName: "size"))
    package var memoryLimit: ServeSize?

    @Option(help: ArgumentHelp("Models in memory at the same time.", valueName: "count"))
    package var models = 16

    @Option(help: "Threads (default: the processors). No answer depends on it.")
    package var threads: Int?

    @Option(help: ArgumentHelp("Texts that are written at the same time.", valueName: "count"))
    package var batch = 16

    @Option(help: ArgumentHelp("Texts that may wait; more get status 429.", valueName: "count"))
    package var queue = 128

    @Option(help: ArgumentHelp("New tokens of a text at most.", valueName: "count"))
    package var maxTokens = 4096

    @Option(help: ArgumentHelp("Bytes of a request at most: 8M.", valueName: "size"))
    package var maxBody: ServeSize?

    @Option(
        help: ArgumentHelp("Seconds that a request may wait and run.", valueName: "seconds"))
    package var timeLimit = 600

    @Option(help: ArgumentHelp("Connections at the same time.", valueName: "count"))
    package var connections = 12_000

    @Flag(
        help:
            "Stay at the commits that names mean at first, until POST /v1/reload or SIGHUP.")
    package var pin = false

    @Flag(help: "Let pages of the site at / commit merges; otherwise they only read.")
    package var allowEdit = false

    @Option(
        help: ArgumentHelp(
            "Seconds that answers under way have when the server is to stop.", valueName: "seconds"
        ))
    package var stopTime = 30

    @Option(
        help: ArgumentHelp(
            "What is logged on standard error.", valueName: "debug|info|notice|warning|error"))
    package var logLevel: ServeLogLevel = .info

    package init() {}

    package func validate() throws {
        guard (0...65_535).contains(port) else {
            throw ValidationError("--port is \(port); give 0 to 65535")
        }
        if let threads, !(1...1024).contains(threads) {
            throw ValidationError("--threads is \(threads); give 1 to 1024")
        }
        for (name, value) in [
            ("--models", models), ("--batch", batch), ("--max-tokens", maxTokens),
            ("--time-limit", timeLimit), ("--connections", connections),
        ] where !(1...1_000_000_000).contains(value) {
            throw ValidationError("\(name) is \(value); give at least 1")
        }
        for (name, value) in [("--queue", queue), ("--stop-time", stopTime)]
        where !(0...1_000_000_000).contains(value) {
            throw ValidationError("\(name) is \(value); give at least 0")
        }
        guard !host.isEmpty else { throw ValidationError("--host is empty") }
    }
}

/// A number of bytes.
package struct ServeSize: ExpressibleByArgument, Sendable {
    package let bytes: Int

    package init?(argument: String) {
        guard let size = ByteSize(argument) else { return nil }
        bytes = size.bytes
    }
}

/// How much is logged.
package enum ServeLogLevel: String, ExpressibleByArgument, CaseIterable, Sendable {
    case debug
    case info
    case notice
    case warning
    case error
}
