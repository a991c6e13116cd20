internal import CKernels

/// What the attention of a layer is like.
package struct AttentionShape: Sendable, Hashable {
    /// Query heads.
    package let heads: Int
    /// Heads of keys and values, each for heads / kvHeads adjacent query heads (grouped-query attention,
    /// 2305.13245).
    package let kvHeads: Int
    /// Elements of a head's query and key.
    package let keySize: Int
    /// Elements of a head's value.
    package let valueSize: Int
    /// What scores are multiplied with.
    package let scale: Float
    /// Positions that a query sees, its own the last; nil for all before it.
    package let window: Int?
    /// A score for each head that the softmax takes in and that reads nothing; empty for none.
    package let sinks: [Float]

    /// - Parameters:
    ///   - kvHeads: Divides `heads`.
    ///   - window: At least 1.
    ///   - sinks: None, or one for each head.
    package init(
        heads: Int, kvHeads: Int, keySize: Int, valueSize: Int, scale: Float, window: Int? = nil,
        sinks: [Float] = []
    ) {
        precondition(
            heads > 0 && kvHeads > 0 && heads % kvHeads == 0 && keySize > 0 && valueSize > 0
                && window ?? 1 >= 1 && (sinks.isEmpty || sinks.count == heads),
            "attention of \(heads) and \(kvHeads) heads of \(keySize) and \(valueSize)")
        self.heads = heads
        self.kvHeads = kvHeads
        self.keySize = keySize
        self.valueSize = valueSize
        self.scale = scale
        self.window = window
        self.sinks = sinks
    }

    /// Every head with keys and values of its own, scores divided by the root of its size.
    package init(heads: Int, headSize: Int) {
        self.init(
            heads: heads, kvHeads: heads, keySize: headSize, valueSize: headSize,
            scale: 1 / Float(headSize).squareRoot())
    }

    /// Elements of a token's queries.
    package var queryWidth: Int { heads * keySize }
    /// Elements of a token's keys.
    package var keyWidth: Int { kvHeads * keySize }
    /// Elements of a token's values.
    package var valueWidth: Int { kvHeads * valueSize }
    /// Elements of what a token reads.
    package var outWidth: Int { heads * valueSize }
}

extension Kernels {
    /// Causal attention over a key and value cache that already holds these tokens.
    ///
    /// A token's result depends on its position and the caches alone, not on what else is computed.
    ///
    /// - Parameters:
    ///   - queries: [tokens, heads * keySize], for positions `first`….
    ///   - keys: [capacity / 16, kvHeads * keySize, 16], one column per position.
    ///   - values: [capacity, kvHeads * valueSize].
    ///   - capacity: Positions that the caches have room for, a multiple of 16.
    ///   - out: [tokens, heads * valueSize].
    package static func attend(
        _ shape: AttentionShape, _ queries: Span<Float>, keys: Span<Float>, values: Span<Float>,
        first: Int, capacity: Int, into out: inout MutableSpan<Float>, team: ThreadTeam = .single
    ) {
        let (width, outWidth) = (shape.queryWidth, shape.outWidth)
        let tokens = queries.count / width
        precondition(
            queries.count == tokens * width && out.count == tokens * outWidth && capacity % 16 == 0
                && keys.count == shape.keyWidth * capacity
                && values.count == shape.valueWidth * capacity
                && first >= 0 && first + tokens <= capacity,
            "attention of \(queries.count) elements at \(first) over \(keys.count)")
        unsafe queries.withUnsafeBufferPointer { queries in
            unsafe keys.withUnsafeBufferPointer { keys in
                unsafe values.withUnsafeBufferPointer { values in
                    unsafe out.withUnsafeMutableBufferPointer { out in
                        guard let one = queries.baseAddress, let two = keys.baseAddress,
                            let three = values.baseAddress, let four = out.baseAddress
                        else { return }
                        nonisolated(unsafe) let queries = unsafe one
                        nonisolated(unsafe) let keys = unsafe two
                        nonisolated(unsafe) let values = unsafe three
                        nonisolated(unsafe) let out = unsafe four
                        // Blocks of tokens, so that the long ones at the end are shared out too.
                        let block = 32
                        let blocks = (tokens + block - 1) / block
                        // A short text is not worth another thread.
                        let shared = tokens * (first + tokens) * width > 20_000
                        (shared ? team : .single).forEach(shape.heads * blocks) { part in
                            let (token, head) = (
                                part / shape.heads * block, part % shape.heads
                            )
                            let size = Int(CAMBIUM_ATTENTION_ROWS) * capacity
                            unsafe withUnsafeTemporaryAllocation(of: Float.self, capacity: size) {
                                scratch in
                                guard let scores = scratch.baseAddress else { return }
                                unsafe shape.withKernelShape(capacity) { shape in
                                    unsafe cambium_attention(
                                        shape, queries + token * width, keys, values,
                                        min(block, tokens - token), first + token, head, head + 1,
                                        scores, out + token * outWidth)
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

extension AttentionShape {
    fileprivate func withKernelShape(
        _ capacity: Int, _ body: (UnsafePointer<cambium_attention_shape>) -> Void
    ) {
        unsafe sinks.withUnsafeBufferPointer { sinks in
            var shape = unsafe cambium_attention_shape(
                heads: heads, key_heads: kvHeads, key_size: keySize, value_size: valueSize,
                capacity: capacity, window: window ?? 0, scale: scale,
                sinks: sinks.isEmpty ? nil : sinks.baseAddress)
            unsafe withUnsafePointer(to: &shape) { unsafe body($0) }
        }
    }
}
