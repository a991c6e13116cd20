internal import CKernels

/// What the neurons that tokens picked compute, and its gradient.
///
/// Neuron e of a table [n, 2, width] is GELU(u · x) v; a token's picks add up, each times its gate
/// (PEER, 2407.04153). Only the picked rows are read.
package final class NeuronSelection: Sendable {
    package let tokens: Int
    /// Picks of one token.
    package let perToken: Int
    /// [tokens, perToken].
    package let ids: [UInt32]
    /// [tokens, perToken], all four; the last two are set by ``backward``.
    package let gates: FloatSlice
    private let value: FloatSlice
    private let slope: FloatSlice
    package let gateGradients: FloatSlice
    private let hiddenGradients: FloatSlice

    /// - Parameters:
    ///   - ids: [tokens, perToken], below the table's length.
    ///   - gates: [tokens, perToken].
    package init(ids: [UInt32], gates: FloatSlice, perToken: Int) {
        TrainingKernels.check(
            ids.count == gates.count && ids.count % perToken == 0, ids.count, gates.count)
        self.ids = ids
        self.gates = gates
        self.perToken = perToken
        tokens = ids.count / perToken
        let memory = FloatMemory(count: 4 * ids.count)
        func part(_ index: Int) -> FloatSlice {
            memory[index * ids.count..<(index + 1) * ids.count]
        }
        (value, slope, gateGradients, hiddenGradients) = (part(0), part(1), part(2), part(3))
    }

    /// out += Σ gate GELU(u · x) v.
    ///
    /// - Parameters:
    ///   - table: [n, 2, width].
    ///   - x: [tokens, width].
    ///   - out: [tokens, width].
    package func forward(
        table: FloatSlice, x: FloatSlice, out: FloatSlice, width: Int,
        team: ThreadTeam = .single
    ) {
        check(table, x, out, width)
        unsafe forEachToken(team) { ids, first, token in
            unsafe cambium_training_active().pointee.picks(
                table.pointer, ids, gates.pointer + first, perToken, width,
                x.pointer + token * width, value.pointer + first, slope.pointer + first,
                out.pointer + token * width)
        }
    }

    /// Sets `gateGradients`, and dx += the gradient of x.
    ///
    /// - Parameters:
    ///   - dout: [tokens, width], the gradient of what `forward` added.
    ///   - dx: [tokens, width], or nil when nobody needs it.
    package func backward(
        table: FloatSlice, dout: FloatSlice, dx: FloatSlice?, width: Int,
        team: ThreadTeam = .single
    ) {
        check(table, dout, dx ?? dout, width)
        unsafe forEachToken(team) { ids, first, token in
            let target = unsafe dx.map { unsafe $0.pointer + token * width }
            unsafe cambium_training_active().pointee.picks_backward(
                table.pointer, ids, gates.pointer + first, perToken, width,
                dout.pointer + token * width, value.pointer + first, slope.pointer + first,
                gateGradients.pointer + first, hiddenGradients.pointer + first, target)
        }
    }

    /// Adds `scale` times the gradients of some experts to their rows, over the picks in their order.
    ///
    /// - Parameters:
    ///   - order: Positions in `ids`, expert by expert.
    ///   - starts: Where the picks of each expert start in `order`, and the last one's end.
    ///   - targets: Which of `rows` each expert's are.
    ///   - x: As given to `forward`.
    ///   - dout: As given to `backward`.
    ///   - rows: [n, 2, width].
    package func addRowGradients(
        order: [UInt32], starts: ArraySlice<UInt32>, targets: [UInt32], x: FloatSlice,
        dout: FloatSlice, width: Int, scale: Float, to rows: FloatSlice
    ) {
        TrainingKernels.check(
            x.count == tokens * width && dout.count == x.count, x.count, dout.count)
        TrainingKernels.check(
            order.count == ids.count && starts.count == targets.count + 1, order.count,
            starts.count)
        let count = rows.count / (2 * width)
        precondition(
            targets.allSatisfy { Int($0) < count }
                && zip(starts, starts.dropFirst()).allSatisfy { $0 <= $1 }
                && Int(starts.last ?? 0) <= order.count,
            "experts beyond \(count) rows or \(order.count) picks")
        unsafe starts.withUnsafeBufferPointer { starts in
            guard let first = starts.baseAddress else { return }
            unsafe cambium_training_active().pointee.row_gradients(
                x.pointer, dout.pointer, order, first, targets, targets.count, perToken,
                hiddenGradients.pointer, gates.pointer, value.pointer, width, scale, rows.pointer)
        }
    }

    /// The gradient of the scores that the gates are the softmax of, in groups of `width`.
    package func scoreGradients(width: Int, into out: FloatSlice) {
        TrainingKernels.check(
            out.count == ids.count && ids.count % width == 0, out.count, ids.count)
        unsafe cambium_training_active().pointee.softmax_backward(
            gates.pointer, gateGradients.pointer, ids.count / width, width, out.pointer)
    }

    private func check(_ table: FloatSlice, _ x: FloatSlice, _ out: FloatSlice, _ width: Int) {
        TrainingKernels.check(
            x.count == tokens * width && out.count == x.count && table.count % (2 * width) == 0,
            x.count, out.count)
        let rows = table.count / (2 * width)
        precondition(
            ids.allSatisfy { Int($0) < rows }, "a pick beyond the table's \(rows) neurons")
    }

    /// Calls `body` with a token's ids, the position of the first among all, and the token.
    @unsafe private func forEachToken(
        _ team: ThreadTeam, _ body: @Sendable (UnsafePointer<UInt32>, Int, Int) -> Void
    ) {
        let block = 32
        team.forEach((tokens + block - 1) / block) { part in
            unsafe ids.withUnsafeBufferPointer { ids in
                guard let ids = ids.baseAddress else { return }
                for token in part * block..<min((part + 1) * block, tokens) {
                    unsafe body(ids + token * perToken, token * perToken, token)
                }
            }
        }
    }
}
