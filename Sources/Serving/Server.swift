package import Cambium
internal import Foundation
internal import Glibc
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
    /// Where it listens, if whoever started it passed that on.
    private let socket: PassedSocket?

    /// How long a connection may be without a request, and a request or a stalled answer may take.
    private static let patience = TimeAmount.seconds(60)

    /// Seconds behind ``ServingOptions/stopSeconds`` until what is still there is ended: clients read why.
    private static let lastSeconds = 5

    /// - Throws: `usage` for an address that others reach, without a key and without `insecure`; `not-found` for
    ///   a revision that is to be loaded and is not there.
    package init(_ store: Store, _ options: ServingOptions, insecure: Bool) throws {
        socket = try PassedSocket()
        let isLocal = socket?.isLocal ?? Self.isLoopback(options.host)
        guard isLocal || options.apiKey != nil || insecure else {
            throw CambiumError(
                .usage,
                "\(socket == nil ? options.host : "the socket") can be reached from other machines: give "
                    + "--api-key-file, or --insecure to let everybody use the models")
        }
        for revision in options.revisions { _ = try store.resolve(model: revision) }
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

    /// Lets neither a reload that comes early end the process, nor a reader of its log that is gone.
    package static func keepsAlive() {
        for number in [SIGHUP, SIGPIPE] { signal(number, SIG_IGN) }
    }

    /// Serves until a signal asks to stop.
    package func run() async throws {
        // From here on, so that none ends the process while models are loaded.
        let hangUps = await UnixSignalsSequence(trapping: .sighup)
        let models = ModelsInStep(
            state: state, options: options, hangUps: hangUps, logger: logger)
        state.engine.scheduler.start()
        defer { state.engine.scheduler.stop() }
        var configuration = ServiceGroupConfiguration(
            services: services(models)
                + [LastCall(state: state, seconds: options.stopSeconds)],
            gracefulShutdownSignals: [.sigterm, .sigint],
            logger: logger)
        configuration.maximumGracefulShutdownDuration = .seconds(
            options.stopSeconds + Self.lastSeconds)
        do {
            try await ServiceGroup(configuration: configuration).run()
        } catch let error as IOError {
            throw CambiumError(
                .io, "cannot listen at \(options.host), port \(options.port): \(error)")
        }
        logger.notice("stopped")
    }

    private func services(_ models: ModelsInStep) -> [any Service] {
        // The store, the log and what is loaded need some as well.
        let connections = max(16, min(options.limits.connections, DescriptorLimit.raise() - 128))
        let http = HTTP1Channel.Configuration(
            additionalChannelHandlers: [ConnectionGuard(patience: Self.patience)],
            idleTimeout: Self.patience,
            httpDecoderConfiguration: .init(
                maxHeaderFieldSize: 16 << 10, maxHeaderListSize: 64 << 10,
                maxHeaderFieldCount: 100))
        let tellAddress: @Sendable (any Channel) -> Void = { [logger] channel in
            logger.notice(
                "listening",
                metadata: [
                    "address":
                        "\(channel.localAddress?.ipAddress ?? channel.localAddress?.pathname ?? "")",
                    "port": "\(channel.localAddress?.port ?? 0)",
                ])
        }
        let router = Routes.router(state)
        if let socket {
            let server = SocketServer(
                socket: socket, connections: connections, http: http,
                responder: router.buildResponder(), whenListening: tellAddress, logger: logger)
            return [models, server]
        }
        return [
            Application(
                router: router, server: .http1(configuration: http),
                configuration: ApplicationConfiguration(
                    address: .hostname(options.host, port: options.port), serverName: nil,
                    backlog: 1024,
                    availableConnectionsDelegate: MaximumAvailableConnections(connections)),
                services: [models], onServerRunning: { tellAddress($0) }, logger: logger)
        ]
    }
}

/// Loads the models that the server was started with, and keeps names in step with the store.
private struct ModelsInStep: Service {
    let state: ServerState
    let options: ServingOptions
    let hangUps: UnixSignalsSequence
    let logger: Logger

    func run() async throws {
        let engine = state.engine
        for revision in options.revisions {
            let model = try await engine.heads.model(revision)
            logger.notice(
                "loaded", metadata: ["model": "\(revision)", "commit": "\(model.commit)"])
        }
        state.setReady(true)
        await cancelWhenGracefulShutdown {
            await withDiscardingTaskGroup { group in
                group.addTask { await engine.heads.follow() }
                group.addTask { await lookAgainWhenAsked() }
                group.addTask {
                    // Texts of many models come and go, with caches of megabytes: what was freed is kept for each
                    // thread apart, and would become several times what is in use.
                    while !Task.isCancelled {
                        ProcessStatistics.returnFreedMemory()
                        try? await Task.sleep(for: .seconds(5))
                    }
                }
                group.addTask {
                    while !Task.isCancelled {
                        engine.models.dropUnused()
                        engine.models.dropUnnamed(engine.heads.named)
                        try? await Task.sleep(for: .seconds(1))
                    }
                }
            }
        }
    }

    /// Looks names up at the signal SIGHUP.
    private func lookAgainWhenAsked() async {
        for await _ in hangUps {
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

/// Ends what takes too long when the server is to stop; the last service, and so the first that is told.
private struct LastCall: Service {
    let state: ServerState
    /// What answers under way have.
    let seconds: Int

    func run() async throws {
        try? await gracefulShutdown()
        state.setReady(false)
        let scheduler = state.engine.scheduler
        // What is under way then is told so, before its connection is closed.
        Task {
            try? await Task.sleep(for: .seconds(seconds))
            scheduler.stop()
        }
    }
}
