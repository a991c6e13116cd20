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
    /// The byte.
    public let token: Int
    /// The number of the expert layer.
    public let layer: Int
    /// One for each head.
    public let heads: [Head]
}

extension MappedModel {
    /// The experts and weights that each byte of a text picks, in order of position, then layer.
    ///
    /// A text longer than the context is read in windows of the context length that do not overlap;
    /// each begins anew. The same text gives the same bits on any CPU.
    ///
    /// - Parameters:
    ///   - text: At least one byte.
    ///   - layers: Only these; nil for all.
    ///   - each: Called with every route; returning false stops.
    /// - Throws: `usage` for an empty text, `not-found` for a layer without experts.
    public func routes(
        _ text: [UInt8], layers: [Int]? = nil, each: (TokenRoute) throws(StoreError) -> Bool
    ) throws(StoreError) {
        try routes(TextSource(text), layers: layers, each: each)
    }

    /// As ``routes(_:layers:each:)-([UInt8],_,_)``, of a text that is read window by window.
    public func routes(
        _ text: TextSource, layers: [Int]? = nil, each: (TokenRoute) throws(StoreError) -> Bool
    ) throws(StoreError) {
        for layer in layers ?? [] where !expertLayers.contains(layer) {
            throw StoreError(
                .notFound,
                "layer \(layer) has no experts; those that do: "
                    + expertLayers.map(String.init).joined(separator: ", "))
        }
        guard text.count > 0 else { throw StoreError(.usage, "the text is empty") }
        let session = try newSession()
        session.recordsRoutes = true
        for start in stride(from: 0, to: text.count, by: contextLength) {
            let window = try text.bytes(start..<min(start + contextLength, text.count))
            session.reset()
            try running { () throws(ModelError) in _ = try session.append(window) }
            for record in session.routes.sorted(by: {
                ($0.position, $0.layer) < ($1.position, $1.layer)
            }) where layers?.contains(record.layer) ?? true {
                let route = TokenRoute(
                    position: start + record.position, token: Int(window[record.position]),
                    layer: record.layer,
                    heads: zip(record.heads, record.margins).map { head, margin in
                        TokenRoute.Head(
                            experts: head.experts.map(Int.init), weights: head.weights,
                            margin: margin.isFinite ? margin : nil)
                    })
                guard try each(route) else { return }
            }
        }
    }
}
