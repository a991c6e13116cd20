internal import HTTPTypes
internal import Hummingbird
internal import Reporting

extension Response {
    /// An answer that comes in events (server-sent events).
    ///
    /// - Parameters:
    ///   - work: What it tells of; given up when the client goes.
    ///   - ended: Called when all was written, or the client has gone.
    ///   - write: Writes the events.
    static func events(
        of work: Work, ended: @escaping @Sendable () -> Void = {},
        _ write: @escaping @Sendable (inout any ResponseBodyWriter) async throws -> Void
    ) -> Response {
        Response(
            status: .ok,
            headers: [
                .contentType: "text/event-stream; charset=utf-8", .cacheControl: "no-cache",
                .commit: work.model.commit,
            ],
            body: ResponseBody { writer in
                defer {
                    work.cancel()
                    ended()
                }
                try await write(&writer)
                try await writer.finish(nil)
            })
    }
}

extension ResponseBodyWriter {
    /// Writes an event.
    ///
    /// - Parameter name: Its type; nil for a plain one.
    mutating func event(_ value: some Encodable, name: String? = nil) async throws {
        let line = name.map { "event: \($0)\n" } ?? ""
        try await write(ByteBuffer(string: "\(line)data: \(JSONText.encode(value))\n\n"))
    }

    /// Ends a stream of OpenAI's interface.
    mutating func done() async throws {
        try await write(ByteBuffer(string: "data: [DONE]\n\n"))
    }
}
