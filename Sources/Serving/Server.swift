package import Cambium
internal import Foundation
internal import Hummingbird
internal import HummingbirdCore
internal import Logging
internal import NIOCore
internal import Pages
internal import ServiceLifecycle
internal import UnixSignals

/// Serves the models of a store.
package struct Server: Sendable {
    private let options: ServingOptions
    private let logger: Logger
    private let state: ServerState

    /// How long a connection may be without a request, and a request or a stalled answer may take.
    private static let patience = TimeAmount.seconds(60)

    /// - Throws: `usage` for an address that others reach, without a key and without `insecure`.
    package init(_ store: Store, _ options: ServingOptions, insecure: Bool) throws {
        let isLocal = Self.isLoopback(options.host)
        guard isLocal || options.apiKey != nil || insecure else {
            throw CambiumError(
                .usage,
                "\(options.host) can be reached from other machines: give --api-key-file, or --insecure to let "
                    + "everybody use the models")
        }
        self.options = options
        let level = Logger.Level(rawValue: options.logLevel) ?? .info
        logger = Logger(label: "cambium") { _ in LineLog(level) }
        let hosts: Set<String> = ["localhost", "127.0.0.1", "::1", options.host.lowercased()]
        let title = storeTitle(
            of: store.path, in: FileManager.default.currentDirectoryPath)
        // Merges are made by a store that is open to write; models are read as before.
        let edited = options.allowsEdit ? try Store(store.path) : store
        state = ServerState(
            Engine(store, options, logger),
            Site(edited, title: title, allowsEdit: options.allowsEdit), apiKey: options.apiKey,
            hosts: options.apiKey == nil && isLocal ? hosts : nil)
    }

    /// Whether an address is this machine's own and no one else's.
    private static func isLoopback(_ host: String) -> Bool {
        let numbers = host.split(separator: ".", omittingEmptySubsequences: false)
        return ["localhost", "::1"].contains(host)
            || numbers.count == 4 && numbers[0] == "127" && numbers.allSatisfy { UInt8($0) != nil }
    }

    /// Serves until a signal asks to stop.
    package func run() async throws {
        // The store, the log and what is loaded need some as well.
        let connections = max(16, min(options.limits.connections, DescriptorLimit.raise() - 128))
        let application = Application(
            router: Routes.router(state),
            server: .http1(
                configuration: HTTP1Channel.Configuration(
                    additionalChannelHandlers: [ConnectionGuard(patience: Self.patience)],
                    idleTimeout: Self.patience,
                    httpDecoderConfiguration: .init(
                        maxHeaderFieldSize: 16 << 10, maxHeaderListSize: 64 << 10,
                        maxHeaderFieldCount: 100))),
            configuration: ApplicationConfiguration(
                address: .hostname(options.host, port: options.port), serverName: nil,
                backlog: 1024,
                availableConnectionsDelegate: MaximumAvailableConnections(connections)),
            services: [ModelsInStep(state: state, revisions: options.revisions, logger: logger)],
            onServerRunning: { [logger] channel in
                logger.notice(
                    "listening",
                    metadata: [
                        "address": "\(channel.localAddress?.ipAddress ?? "")",
                        "port": "\(channel.localAddress?.port ?? 0)",
                    ])
            },
            logger: logger)
        state.engine.scheduler.start()
        defer { state.engine.scheduler.stop() }
        var configuration = ServiceGroupConfiguration(
            services: [application], gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
        configuration.maximumGracefulShutdownDuration = .seconds(options.stopSeconds)
        try await ServiceGroup(configuration: configuration).run()
        logger.notice("stopped")
    }
}

/// Loads the models that the server was started with, and keeps names in step with the store.
private struct ModelsInStep: Service {
    let state: ServerState
    let revisions: [String]
    let logger: Logger

    func run() async throws {
        let engine = state.engine
        for revision in revisions {
            let model = try await engine.heads.model(revision)
            logger.notice(
                "loaded", metadata: ["model": "\(revision)", "commit": "\(model.commit)"])
        }
        state.setReady(true)
        await withGracefulShutdownHandler {
            await cancelWhenGracefulShutdown {
                await withDiscardingTaskGroup { group in
                    group.addTask { await engine.heads.follow() }
                    group.addTask { await lookAgainWhenAsked() }
                    group.addTask {
                        while !Task.isCancelled {
                            engine.models.dropUnused()
                            try? await Task.sleep(for: .seconds(1))
                        }
                    }
                }
            }
        } onGracefulShutdown: {
            state.setReady(false)
        }
    }

    /// Looks names up at the signal SIGHUP.
    private func lookAgainWhenAsked() async {
        for await _ in await UnixSignalsSequence(trapping: .sighup) {
            do {
                let moved = try await state.engine.heads.lookAgain()
                logger.notice(
                    "looked again", metadata: ["switched": "\(moved.joined(separator: " "))"])
            } catch {
                logger.error("cannot look again", metadata: ["error": "\(error)"])
            }
        }
    }
}
