internal import ArgumentParser
internal import Cambium
internal import Foundation
internal import Reporting
internal import ServeArguments
internal import Serving

/// The program `cambium-serve`.
@main
struct CambiumServer: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cambium-serve",
        abstract: "Serve every branch of a store over HTTP; `cambium help serve` says more.",
        version: programVersion)

    @OptionGroup var arguments: ServeArguments

    @Option(
        name: [.customShort("C"), .long],
        help: ArgumentHelp(
            "The store. Default: CAMBIUM_STORE, else the current directory.", valueName: "path"))
    var store: String?

    // What every command of `cambium` understands, and has no use here.
    @Flag(help: .hidden) var json = false
    @Flag(name: .shortAndLong, help: .hidden) var quiet = false
    @Option(help: .hidden) var progress: String?
    @Flag(help: .hidden) var noColor = false
    @Flag(help: .hidden) var noPager = false

    func run() async throws {
        Server.keepsAlive()
        do {
            let variables = ProcessInfo.processInfo.environment
            let store = try Store(
                store ?? variables["CAMBIUM_STORE"].flatMap { $0.isEmpty ? nil : $0 } ?? ".",
                readOnly: true)
            try await Server(
                store, try options(variables), insecure: arguments.insecure
            ).run()
        } catch let error as CambiumError {
            StandardError.write("error: \(error.message)")
            throw Self.exitCode(error.code)
        } catch {
            StandardError.write("error: \(error)")
            throw ExitCode.failure
        }
    }

    /// As of `cambium`'s commands.
    private static func exitCode(_ code: CambiumError.Code) -> ExitCode {
        switch code {
        case .usage, .badName, .badRevision, .ambiguous: ExitCode(64)
        case .notFound, .notAStore: ExitCode(2)
        case .corrupt: ExitCode(4)
        default: .failure
        }
    }

    private func options(_ variables: [String: String]) throws -> ServingOptions {
        var options = ServingOptions()
        options.host = arguments.host
        options.port = arguments.port
        options.revisions = arguments.revisions
        options.limits.batch = arguments.batch
        options.limits.queue = arguments.queue
        options.limits.tokens = arguments.maxTokens
        options.limits.body = arguments.maxBody?.bytes ?? options.limits.body
        options.limits.seconds = arguments.timeLimit
        options.limits.connections = arguments.connections
        options.model.memoryLimit = arguments.memoryLimit?.bytes
        options.mostModels = arguments.models
        options.threads = arguments.threads ?? ProcessInfo.processInfo.activeProcessorCount
        options.pins = arguments.pin
        options.allowsEdit = arguments.allowEdit
        options.stopSeconds = arguments.stopTime
        options.logLevel = arguments.logLevel.rawValue
        options.apiKey = variables["CAMBIUM_API_KEY"].flatMap { $0.isEmpty ? nil : $0 }
        if let path = arguments.apiKeyFile {
            guard let text = FileManager.default.contents(atPath: path) else {
                throw CambiumError(.notFound, "--api-key-file \(path) cannot be read")
            }
            options.apiKey = String(decoding: text, as: UTF8.self)
                .trimmingCharacters(in: .whitespacesAndNewlines)
        }
        guard options.apiKey?.isEmpty != true else {
            throw CambiumError(.usage, "--api-key-file holds no key")
        }
        return options
    }
}
