internal import HTTPTypes
internal import Hummingbird
internal import Logging
internal import NIOCore
internal import NIOHTTPTypes

/// What routes know of a request besides itself.
struct ServingContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    let channel: any Channel
    /// The address of the client, for the fair queue and the log.
    let client: String

    init(source: ApplicationRequestContextSource) {
        coreContext = CoreRequestContextStorage(source: source)
        channel = source.channel
        client = source.channel.remoteAddress?.ipAddress ?? "local"
    }

    /// Tells a client that waits for it that its body may come.
    func askForBody() {
        channel.writeAndFlush(HTTPResponsePart.head(HTTPResponse(status: .continue)), promise: nil)
    }

    /// Gives work up when the client goes before it has all of its answer.
    func cancel(_ work: Work) async { await whenGone { [weak work] in work?.cancel() } }

    /// Calls back when the client goes before it has all of its answer.
    func whenGone(_ body: @escaping @Sendable () -> Void) async {
        do {
            try await channel.pipeline.handler(type: ConnectionGuard.self).get().whenGone(body)
        } catch {
            // The connection is closed already, and nobody watches over it any more.
            body()
        }
    }
}
