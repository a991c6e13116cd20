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
    /// each begins anew. Of a model with adapters the base's picks are told. The same text gives the same bits on any CPU.
    ///
    /// - Parameters:
    ///   - text: At least one byte.
    ///   - layers: Only these; nil for all.
    ///   - each: Called with every route; returning false stops.
    /// - Throws: `usage` for an empty text, `not-found` for a layer without experts; `unsupported` for a model
    ///   that has no text.
    public func routes(
        _ text: [UInt8], layers: [Int]? = nil, each: (TokenRoute) throws -> Bool
    ) throws { try routes(TextSource(text), layers: layers, each: each) }

    /// As ``routes(_:layers:each:)-([UInt8],_,_)``, of a text that is read window by window.
    public func routes(
        _ text: TextSource, layers: [Int]? = nil, each: (TokenRoute) throws -> Bool
    ) throws { try running.routes(text, layers: layers) { try each(TokenRoute($0, $1, $2)) } }
}

extension TokenRoute {
    fileprivate init(_ record: Session.RouteRecord, _ position: Int, _ token: Int) {
        self.init(
            position: position, token: token, layer: record.layer,
            heads: zip(record.heads, record.margins).map { head, margin in
                TokenRoute.Head(
                    experts: head.experts.map(Int.init), weights: head.weights,
                    margin: margin.isFinite ? margin : nil)
            })
    }
}
