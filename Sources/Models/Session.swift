internal import Architectures
package import Elements
package import Routing
internal import Tensors

/// One text on its way through a model: the key-value cache and what the tokens picked.
///
/// Not to be shared between threads.
package final class Session {
    /// Which positions' logits `append` returns.
    package enum LogitSelection: Sendable {
        /// Those of every appended token: [tokens, 256].
        case all
        /// Those of the last appended token: [256].
        case last
    }

    /// What one token picked in one layer.
    package struct RouteRecord: Sendable, Hashable {
        package let position: Int
        package let layer: Int
        /// One route per head.
        package let heads: [Route]
        /// Per head the last pick's score minus that of the best expert not picked.
        package let margins: [Float]
    }

    /// Keys and values of one layer, for positions below the context length.
    final class Cache {
        /// [hidden, capacity]: one column per position.
        var keys: FloatBuffer
        /// [capacity, hidden].
        var values: FloatBuffer

        init(hidden: Int, capacity: Int) {
            keys = FloatBuffer(count: hidden * capacity)
            values = FloatBuffer(count: hidden * capacity)
        }

        func change(_ body: (inout FloatBuffer, inout FloatBuffer) -> Void) {
            body(&keys, &values)
        }

        func read(_ body: (borrowing FloatBuffer, borrowing FloatBuffer) -> Void) {
            body(keys, values)
        }
    }

    /// Tokens that run through the layers together; longer input is cut into blocks of this size.
    static let blockSize = 256

    package let model: PeerModel
    /// Tokens in the cache: the position of the next one.
    package private(set) var position = 0
    /// What was picked since the session was made; `reset` keeps it.
    package internal(set) var usage: ExpertUsage
    /// Whether routes are kept in `routes`; off at first, since they take memory.
    package var recordsRoutes = false
    /// By position, then layer, as far as they were recorded.
    package internal(set) var routes: [RouteRecord] = []
    let caches: [Cache]
    private let pass: ForwardPass
    /// Positions that the caches have room for: the context length, rounded up to 16.
    let capacity: Int

    /// - Parameter pass: What runs the text; by default one of its own, on the caller's thread.
    ///   Sessions of one thread may share one.
    /// - Complexity: Allocates the cache of the whole context: 8 * layers * hidden * context bytes.
    package init(_ model: PeerModel, pass: ForwardPass? = nil) {
        self.model = model
        self.pass = pass ?? ForwardPass(model)
        let capacity = (model.config.contextLength + 15) / 16 * 16
        self.capacity = capacity
        self.usage = ExpertUsage(model)
        self.caches = model.layers.map { _ in
            Cache(hidden: model.config.hiddenSize, capacity: capacity)
        }
    }

    /// Tokens that still fit.
    package var room: Int { model.config.contextLength - position }

    /// Forgets the text, not the usage counts.
    package func reset() {
        position = 0
        routes = []
    }

    /// Runs bytes through the model, after those that are already in the cache.
    ///
    /// - Returns: Logits before softmax, [tokens, 256] or [256].
    /// - Throws: `.badInput` without bytes; `.contextFull` if they do not fit, and then nothing is
    ///   appended; what reading an expert throws, and then the session is to be reset.
    package func append(
        _ bytes: [UInt8], logits selection: LogitSelection = .last
    ) throws(ModelError) -> [Float] {
        try pass.append([(self, bytes)], logits: selection)[0]
    }

    /// Moves on by tokens that ran.
    func advance(_ count: Int) { position += count }

    /// Notes what the tokens of a segment picked in a layer.
    func record(_ picks: borrowing Picks, _ experts: PeerModel.Experts, _ tokens: Range<Int>) {
        let perToken = picks.heads * picks.topK
        usage.layers[experts.slot].record(
            picks.experts[tokens.lowerBound * perToken..<tokens.upperBound * perToken])
        guard recordsRoutes else { return }
        for token in tokens {
            routes.append(
                RouteRecord(
                    position: position + token - tokens.lowerBound,
                    layer: model.config.expertLayers[experts.slot],
                    heads: (0..<picks.heads).map { picks.route(token: token, head: $0) },
                    margins: Array(
                        picks.margins[token * picks.heads..<(token + 1) * picks.heads])))
        }
    }
}

extension ForwardPass {
    /// Runs bytes of several texts through the model, each after those that are in its cache.
    ///
    /// Each text gets the same bits as if it ran alone.
    ///
    /// - Parameter inputs: Distinct sessions of this model.
    /// - Returns: For each input its logits before softmax, [tokens, 256] or [256].
    /// - Throws: `.badInput` without bytes; `.contextFull` if some do not fit, and then nothing is
    ///   appended; what reading an expert throws, and then the sessions are to be reset.
    package func append(
        _ inputs: [(session: Session, bytes: [UInt8])],
        logits selection: Session.LogitSelection = .last
    ) throws(ModelError) -> [[Float]] {
        for (session, bytes) in inputs {
            try model.config.checkRoom(for: bytes.count, after: session.position)
        }
        var results = [[Float]](repeating: [], count: inputs.count)
        var done = [Int](repeating: 0, count: inputs.count)
        while true {
            // As much as fits a block, of one text after the other.
            var segments: [Segment] = []
            var owners: [Int] = []
            var total = 0
            for (index, input) in inputs.enumerated() where total < Session.blockSize {
                let rest = input.bytes[done[index]...]
                guard !rest.isEmpty else { continue }
                let tokens = rest.prefix(Session.blockSize - total)
                segments.append(Segment(session: input.session, tokens: tokens, start: total))
                owners.append(index)
                total += tokens.count
            }
            guard total > 0 else { return results }
            try run(segments)
            for (segment, index) in zip(segments, owners) {
                segment.session.advance(segment.tokens.count)
                done[index] += segment.tokens.count
                switch selection {
                case .all: results[index] += logits(segment.range)
                case .last where done[index] == inputs[index].bytes.count:
                    results[index] = logits(
                        segment.range.upperBound - 1..<segment.range.upperBound)
                case .last: break
                }
            }
        }
    }
}

extension PeerConfig {
    /// Checks that bytes fit behind those that a session has read.
    func checkRoom(for count: Int, after position: Int) throws(ModelError) {
        guard count > 0 else { throw ModelError(.badInput, "no bytes to run") }
        guard count <= contextLength - position else {
            throw ModelError(
                .contextFull,
                "\(count) bytes after \(position) do not fit the context of \(contextLength)")
        }
    }
}

extension PeerModel {
    /// Runs bytes through a session of their own: the logits of every position, [tokens, 256].
    ///
    /// - Throws: As `Session.append`.
    package func forward(_ bytes: [UInt8]) throws(ModelError) -> [Float] {
        try Session(self).append(bytes, logits: .all)
    }
}
