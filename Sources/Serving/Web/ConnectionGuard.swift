internal import NIOCore
internal import NIOHTTPTypes
internal import Synchronization

/// Watches over one connection: tells who answers when its client goes, and closes it when the client takes too long
/// to send a request or to take an answer.
///
/// A client that closes its half of the connection has gone: it cannot be told from one that will never read.
final class ConnectionGuard: ChannelDuplexHandler, RemovableChannelHandler, Sendable {
    typealias InboundIn = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart

    private struct State {
        var isGone = false
        /// Called when the client goes before the present answer has ended.
        var whenGone: (@Sendable () -> Void)?
        /// Closes the connection when it comes to it.
        var reading: Scheduled<Void>?
        var writing: Scheduled<Void>?
    }

    private let state = Mutex(State())
    /// How long a request may take to arrive, and an answer to be taken on.
    private let patience: TimeAmount

    init(patience: TimeAmount) { self.patience = patience }

    /// Calls back when the client goes before the present answer has ended; at once if it has.
    func whenGone(_ body: @escaping @Sendable () -> Void) {
        let isGone = state.withLock { state in
            state.whenGone = body
            return state.isGone
        }
        if isGone { body() }
    }

    private func gone() {
        let body = state.withLock { state in
            state.isGone = true
            state.reading?.cancel()
            state.writing?.cancel()
            defer { state.whenGone = nil }
            return state.whenGone
        }
        body?()
    }

    private func deadline(_ channel: any Channel) -> Scheduled<Void> {
        channel.eventLoop.scheduleTask(in: patience) { channel.close(promise: nil) }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head:
            let task = deadline(context.channel)
            state.withLock { $0.reading = task }
        case .body: break
        case .end:
            state.withLock { state in
                state.reading?.cancel()
                state.reading = nil
            }
        }
        context.fireChannelRead(data)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if case .end = unwrapOutboundIn(data) { state.withLock { $0.whenGone = nil } }
        context.write(data, promise: promise)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable {
            state.withLock { state in
                state.writing?.cancel()
                state.writing = nil
            }
        } else {
            let task = deadline(context.channel)
            state.withLock { state in
                state.writing?.cancel()
                state.writing = task
            }
        }
        context.fireChannelWritabilityChanged()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .inputClosed? = event as? ChannelEvent {
            gone()
            return context.close(promise: nil)
        }
        context.fireUserInboundEventTriggered(event)
    }

    func channelInactive(context: ChannelHandlerContext) {
        gone()
        context.fireChannelInactive()
    }
}
