internal import Elements
package import Routing
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
    /// - Throws: What reading throws.
    package func addOutputs(
        of selection: borrowing Selection, _ x: Span<Float>, tokens: Int,
        into out: inout MutableSpan<Float>, team: ThreadTeam
    ) throws {
        for index in out.indices { out[index] = 0 }
        // With a limit of memory a few tokens at a time, so that what they need fits.
        let perToken = selection.heads * selection.topK
        let block = tokensAtOnce(selections: perToken) ?? tokens
        var addresses = ExpertAddresses()
        for first in stride(from: 0, to: tokens, by: max(block, 1)) {
            let some = first..<min(first + block, tokens)
            let range = some.lowerBound * perToken..<some.upperBound * perToken
            try find(selection.experts.span.extracting(range), &addresses)
            add(
                addresses, selection.weights, perToken: perToken, some, x, into: &out, team)
        }
    }

    /// Adds the outputs of the experts of some tokens.
    private func add(
        _ addresses: ExpertAddresses, _ weights: [Float], perToken: Int, _ tokens: Range<Int>,
        _ x: Span<Float>, into out: inout MutableSpan<Float>, _ team: ThreadTeam
    ) {
        guard let shape = neuronShape else {
            preconditionFailure("experts of \(parts) are no neurons")
        }
        let (width, type, count) = (shape.dimensions[1], shape.type, tokens.count)
        unsafe x.withUnsafeBufferPointer { x in
            unsafe out.withUnsafeMutableBufferPointer { out in
                guard let one = x.baseAddress, let two = out.baseAddress else { return }
                nonisolated(unsafe) let x = unsafe one
                nonisolated(unsafe) let out = unsafe two
                let parts = count == 1 ? 1 : min(count, 2 * team.count)
                team.forEach(parts) { part in
                    for token in count * part / parts..<count * (part + 1) / parts {
                        let row = (tokens.lowerBound + token) * width
                        let input = unsafe Span(_unsafeStart: x + row, count: width)
                        var target = unsafe MutableSpan(_unsafeStart: out + row, count: width)
                        let range = token * perToken..<(token + 1) * perToken
                        let gates = (tokens.lowerBound + token) * perToken
                        unsafe Kernels.addNeurons(
                            addresses.rows.span.extracting(range), type: type,
                            gates: weights.span.extracting(gates..<gates + perToken), x: input,
                            into: &target, team: count == 1 ? team : .single)
                    }
                }
            }
        }
    }
}
