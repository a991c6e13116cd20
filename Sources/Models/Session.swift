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
    package struct RouteRecord: Sendable {
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
    /// Positions that the caches have room for: the context length, rounded up to 16.
    let capacity: Int

    /// - Complexity: Allocates the cache of the whole context: 8 * layers * hidden * context bytes.
    package init(_ model: PeerModel) {
        self.model = model
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
        guard !bytes.isEmpty else { throw ModelError(.badInput, "no bytes to run") }
        guard bytes.count <= room else {
            throw ModelError(
                .contextFull,
                "\(bytes.count) bytes after \(position) do not fit the context of "
                    + "\(model.config.contextLength)")
        }
        var logits: [Float] = []
        var start = 0
        while start < bytes.count {
            let end = min(start + Self.blockSize, bytes.count)
            let hidden = try forward(bytes[start..<end], first: position)
            switch selection {
            case .all: logits += model.logits(hidden, tokens: 0..<end - start)
            case .last where end == bytes.count:
                logits = model.logits(hidden, tokens: end - start - 1..<end - start)
            case .last: break
            }
            position += end - start
            start = end
        }
        return logits
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
