internal import Elements
package import Routing
internal import Synchronization
package import Tensors

extension ExpertTable {
    /// out = the sum over a token's picks of weight · GELU(u · x) · v, in the order of the picks.
    ///
    /// Every pick of every head adds; an expert that several heads of a token picked adds as often.
    ///
    /// - Parameters:
    ///   - x: [tokens, width].
    ///   - out: [tokens, width], replaced.
    ///   - team: Tokens are shared out; each is computed by one thread.
    /// - Throws: `.source` if an expert cannot be read.
    package func addOutputs(
        of picks: borrowing Picks, _ x: Span<Float>, tokens: Int,
        into out: inout MutableSpan<Float>, team: ThreadTeam
    ) throws(ModelError) {
        let perToken = picks.heads * picks.topK
        var rows: [UnsafeRawPointer] = unsafe []
        try unsafe find(picks.experts.span, &rows)
        let width = shape.dimensions[1]
        let type = shape.type
        for index in out.indices { out[index] = 0 }
        let (weights, addresses) = unsafe (picks.weights, Addresses(rows))
        unsafe x.withUnsafeBufferPointer { x in
            unsafe out.withUnsafeMutableBufferPointer { out in
                guard let one = x.baseAddress, let two = out.baseAddress else { return }
                nonisolated(unsafe) let x = unsafe one
                nonisolated(unsafe) let out = unsafe two
                let parts = tokens == 1 ? 1 : min(tokens, 2 * team.count)
                team.forEach(parts) { part in
                    for token in tokens * part / parts..<tokens * (part + 1) / parts {
                        let range = token * perToken..<(token + 1) * perToken
                        let input = unsafe Span(_unsafeStart: x + token * width, count: width)
                        var target = unsafe MutableSpan(
                            _unsafeStart: out + token * width, count: width)
                        unsafe Kernels.addNeurons(
                            addresses.rows.span.extracting(range), type: type,
                            gates: weights.span.extracting(range), x: input, into: &target)
                    }
                }
            }
        }
    }
}

/// Addresses of mapped experts, for several threads to read.
@safe private struct Addresses: Sendable {
    // What they point to is mapped and never written.
    nonisolated(unsafe) let rows: [UnsafeRawPointer]

    init(_ rows: [UnsafeRawPointer]) { unsafe self.rows = rows }
}
