internal import Elements
internal import Models
internal import Routing

/// What one token picked in one layer.
public struct TokenRoute: Sendable, Encodable {
    /// What one head picked.
    public struct Head: Sendable, Encodable {
        /// Experts in descending score.
        public let experts: [Int]
        /// Their shares; they sum to 1.
        public let weights: [Float]
        /// The last pick's score minus that of the best expert that was not picked; nil when every
        /// expert was.
        public let margin: Float?
    }

    /// The token's place in the text, from 0.
    public let position: Int
    /// The byte, or the token's id.
    public let token: Int
    /// The number of the expert layer.
    public let layer: Int
    /// One for each head.
    public let heads: [Head]
}

extension MappedModel {
    /// The experts and weights that each token of a text picks, in order of position, then layer.
    ///
    /// A text longer than the context is read in windows of the context length that do not overlap;
    /// each begins anew. Of a model with cohorts the base's picks are told. The same text gives the same bits on any CPU.
    ///
    /// - Parameters:
    ///   - text: At least one byte.
    ///   - layers: Only these; nil for all.
    ///   - each: Called with every route; returning false stops.
    /// - Throws: `usage` for an empty text, `not-found` for a layer without experts; `unsupported` for a model
    ///   that has no text.
    public func routes(
        _ text: [UInt8], layers: [Int]? = nil, each: (TokenRoute) throws -> Bool
    ) throws {
        try routes(TextSource(text), layers: layers, each: each)
    }

    /// As ``routes(_:layers:each:)-([UInt8],_,_)``, of a text that is read window by window.
    public func routes(
        _ text: TextSource, layers: [Int]? = nil, each: (TokenRoute) throws -> Bool
    ) throws {
        for layer in layers ?? [] where !expertLayers.contains(layer) {
            throw CambiumError(
                .notFound,
                "layer \(layer) has no experts; those that do: "
                    + expertLayers.map(String.init).joined(separator: ", "))
        }
        guard text.count > 0 else { throw CambiumError(.usage, "the text is empty") }
        let tokens = try tokens(of: text)
        let session = Session(model.base)
        session.recordsRoutes = true
        var start = 0
        while start < tokens.count {
            if session.room == 0 { session.reset() }
            // A block at a time, so that a long context's routes are not all held.
            let count = min(session.room, Session.blockSize, tokens.count - start)
            let some = try tokens.part(start..<start + count)
            _ = try session.append(some)
            let offset = start - (session.position - count)
            for record in session.takeRoutes().sorted(by: {
                ($0.position, $0.layer) < ($1.position, $1.layer)
            }) where layers?.contains(record.layer) ?? true {
                let token = some[offset + record.position - start]
                guard try each(route(record, offset + record.position, token)) else { return }
            }
            start += count
        }
    }

    private func route(
        _ record: Session.RouteRecord, _ position: Int, _ token: Int
    ) -> TokenRoute {
        TokenRoute(
            position: position, token: token, layer: record.layer,
            heads: zip(record.heads, record.margins).map { head, margin in
                TokenRoute.Head(
                    experts: head.experts.map(Int.init), weights: head.weights,
                    margin: margin.isFinite ? margin : nil)
            })
    }
}
