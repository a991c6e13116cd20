internal import CKernels

/// The kernels of training (`cambium_training.h`) over shared memory; all sizes are checked.
package enum TrainingKernels {
    @unsafe private static var table: cambium_training {
        unsafe cambium_training_active().pointee
    }

    /// out = x / sqrt(mean(x²) + epsilon) ⊙ weight, by rows.
    ///
    /// - Parameters:
    ///   - x: [tokens, width].
    ///   - weight: [width], or nil for none.
    package static func rmsNorm(
        _ x: FloatSlice, weight: FloatSlice?, width: Int, epsilon: Float, into out: FloatSlice
    ) {
        check(x.count == out.count && width > 0 && x.count % width == 0, x.count, out.count)
        check(weight?.count ?? width == width, width, width)
        unsafe cambium_rms_norm(
            x.pointer, weight?.pointer, x.count / width, width, epsilon, out.pointer)
    }

    /// dx += its gradient, dweight += that of the weight.
    package static func rmsNormBackward(
        _ x: FloatSlice, weight: FloatSlice?, dy: FloatSlice, width: Int, epsilon: Float,
        dx: FloatSlice, dweight: FloatSlice?
    ) {
        check(x.count == dy.count && x.count == dx.count && x.count % width == 0, x.count, dy.count)
        check(weight?.count ?? width == width && dweight?.count ?? width == width, width, width)
        unsafe table.rms_norm_backward(
            x.pointer, weight?.pointer, dy.pointer, x.count / width, width, epsilon, dx.pointer,
            dweight?.pointer)
    }

    /// Gradients of silu(gate) ⊙ up.
    package static func siluGateBackward(
        gate: FloatSlice, up: FloatSlice, dy: FloatSlice, dgate: FloatSlice, dup: FloatSlice
    ) {
        let count = gate.count
        check(up.count == count && dy.count == count, count, dy.count)
        check(dgate.count == count && dup.count == count, count, dup.count)
        unsafe table.silu_gate_backward(
            gate.pointer, up.pointer, dy.pointer, count, dgate.pointer, dup.pointer)
    }

    /// Rotates the halves of every head in place (RoPE), or back.
    ///
    /// - Parameters:
    ///   - x: [tokens, heads, headSize].
    ///   - cosines: [tokens, headSize / 2].
    ///   - sines: [tokens, headSize / 2]; their negatives rotate back.
    package static func rotate(
        _ x: FloatSlice, cosines: FloatSlice, sines: FloatSlice, heads: Int, headSize: Int
    ) {
        let tokens = x.count / (heads * headSize)
        check(
            cosines.count == tokens * headSize / 2 && sines.count == cosines.count, x.count,
            cosines.count)
        unsafe cambium_rope(x.pointer, cosines.pointer, sines.pointer, tokens, heads, headSize)
    }

    /// Row r of `scores`, [rows, stride], becomes the softmax of `scale` times its first `first` + r + 1
    /// elements, and 0 behind them up to `width`.
    package static func causalSoftmax(
        _ scores: FloatSlice, first: Int, rows: Int, width: Int, stride: Int, scale: Float
    ) {
        check(
            first + rows <= width && width <= stride && scores.count >= (rows - 1) * stride + width,
            scores.count, width)
        unsafe table.causal_softmax(scores.pointer, first, rows, width, stride, scale)
    }

    /// The gradient `dp` of those probabilities becomes that of the scores.
    package static func causalSoftmaxBackward(
        _ p: FloatSlice, _ dp: FloatSlice, first: Int, rows: Int, width: Int, stride: Int,
        scale: Float
    ) {
        check(
            first + rows <= width && width <= stride && p.count >= (rows - 1) * stride + width
                && dp.count >= (rows - 1) * stride + width, p.count, dp.count)
        unsafe table.causal_softmax_backward(
            p.pointer, dp.pointer, first, rows, width, stride, scale)
    }

    /// `logits`, [targets, 256], become `scale` (softmax - onehot(target)).
    ///
    /// - Returns: The sum of -ln softmax[target].
    package static func crossEntropyBackward(
        _ logits: FloatSlice, targets: [UInt8], scale: Float
    ) -> Double {
        check(logits.count == targets.count * 256, logits.count, targets.count)
        return unsafe targets.withUnsafeBufferPointer {
            unsafe table.cross_entropy_backward(
                logits.pointer, $0.baseAddress, $0.count, 256, scale)
        }
    }

    /// One step of AdamW for one tensor.
    ///
    /// - Parameters:
    ///   - w: The weights; changed.
    ///   - g: Their gradient.
    ///   - m: The first moment; changed.
    ///   - v: The second; changed.
    package static func adam(
        _ w: FloatSlice, gradient g: FloatSlice, m: FloatSlice, v: FloatSlice, rule: AdamStep
    ) {
        check(g.count == w.count && m.count == w.count && v.count == w.count, w.count, g.count)
        var rule = cambium_adam(
            scale: rule.scale, rate: rule.rate, beta1: rule.beta1, beta2: rule.beta2,
            epsilon: rule.epsilon, decay: rule.decay, correction1: rule.correction1,
            correction2: rule.correction2)
        unsafe table.adam(w.pointer, g.pointer, m.pointer, v.pointer, w.count, &rule)
    }

    package static func squareSum(_ x: FloatSlice) -> Double {
        unsafe table.square_sum(x.pointer, x.count)
    }

    static func check(_ condition: Bool, _ one: Int, _ two: Int) {
        precondition(condition, "sizes that do not fit: \(one) and \(two) elements")
    }
}

/// The numbers of one step of AdamW.
package struct AdamStep: Sendable {
    /// Multiplies the gradient: what clipping leaves.
    package var scale: Float
    package var rate: Float
    package var beta1: Float
    package var beta2: Float
    package var epsilon: Float
    /// Of the weights, times the rate.
    package var decay: Float
    /// 1 / (1 - beta1^step).
    package var correction1: Float
    package var correction2: Float

    /// - Parameter step: From 1.
    package init(
        step: Int, scale: Float, rate: Float, beta1: Float, beta2: Float, epsilon: Float,
        decay: Float
    ) {
        self.scale = scale
        self.rate = rate
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon
        self.decay = decay
        correction1 = Float(1 / (1 - Self.power(Double(beta1), step)))
        correction2 = Float(1 / (1 - Self.power(Double(beta2), step)))
    }

    /// By squaring: the C library's bits depend on the machine.
    private static func power(_ base: Double, _ exponent: Int) -> Double {
        var (result, square, rest) = (1.0, base, exponent)
        while rest > 0 {
            if rest & 1 == 1 { result *= square }
            square *= square
            rest >>= 1
        }
        return result
    }
}
