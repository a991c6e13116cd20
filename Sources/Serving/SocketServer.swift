internal import Foundation
internal import Hummingbird
internal import HummingbirdCore
internal import Logging
internal import NIOCore
internal import NIOExtras
internal import NIOPosix
internal import ServiceLifecycle

/// Answers at a socket that listens already; what Hummingbird's own server does at an address.
struct SocketServer<Responder: HTTPResponder>: Service where Responder.Context == ServingContext {
    let socket: PassedSocket
    let connections: Int
    let http: HTTP1Channel.Configuration
    let responder: Responder
    let whenListening: @Sendable (any Channel) -> Void
    let logger: Logger

    /// As HTTP writes them (RFC 9110, section 5.6.7).
    private static var dates: Date.VerbatimFormatStyle {
        Date.VerbatimFormatStyle(
            format:
                "\(weekday: .abbreviated), \(day: .twoDigits) \(month: .abbreviated) \(year: .defaultDigits) \(hour: .twoDigits(clock: .twentyFourHour, hourCycle: .zeroBased)):\(minute: .twoDigits):\(second: .twoDigits) GMT",
            locale: Locale(identifier: "en_US_POSIX"), timeZone: .gmt,
            calendar: Calendar(identifier: .gregorian))
    }

    func run() async throws {
        let group = MultiThreadedEventLoopGroup.singleton
        let quiescing = ServerQuiescingHelper(group: group)
        let http = HTTP1Channel(responder: respond, configuration: http)
        let (logger, connections) = (logger, connections)
        let server = try await ServerBootstrap(group: group)
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let handlers = channel.pipeline.syncOperations
                    try handlers.addHandler(
                        AvailableConnectionsChannelHandler(maxConnections: connections))
                    try handlers.addHandler(quiescing.makeServerChannelHandler(channel: channel))
                }
            }
            // A client that closes its half is noticed, and has gone.
            .childChannelOption(ChannelOptions.allowRemoteHalfClosure, value: true)
            .bind(socket.descriptor) { http.setup(channel: $0, logger: logger) }
        whenListening(server.channel)
        await withGracefulShutdownHandler {
            await withDiscardingTaskGroup { tasks in
                do {
                    try await server.executeThenClose { clients in
                        for try await client in clients {
                            tasks.addTask { await http.handle(value: client, logger: logger) }
                        }
                    }
                } catch {
                    logger.error("cannot take connections", metadata: ["error": "\(error)"])
                }
            }
        } onGracefulShutdown: {
            quiescing.initiateShutdown(
                promise: server.channel.eventLoop.makePromise(of: Void.self))
        }
    }

    @Sendable private func respond(
        _ request: Request, _ writer: consuming ResponseWriter, _ channel: any Channel
    ) async throws {
        var logger = logger
        logger[metadataKey: "hb.request.id"] = "\(RequestID())"
        let context = ServingContext(
            source: ApplicationRequestContextSource(channel: channel, logger: logger))
        var response = try await responder.respond(to: request, context: context)
        response.headers[.date] = Date().formatted(Self.dates)
        try await writer.write(response: response.head, body: response.body)
    }
}
