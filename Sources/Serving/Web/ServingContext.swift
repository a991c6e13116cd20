internal import Hummingbird
internal import Logging
internal import NIOCore

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

    /// Gives work up when the client goes before it has all of its answer.
    func cancel(_ work: Work) async throws {
        try await whenGone { [weak work] in work?.cancel() }
    }

    /// Calls back when the client goes before it has all of its answer.
    func whenGone(_ body: @escaping @Sendable () -> Void) async throws {
        try await channel.pipeline.handler(type: ConnectionGuard.self).get().whenGone(body)
    }
}
