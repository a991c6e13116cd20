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

    /// y = silu(gate) ⊙ up.
    ///
    /// - Parameters:
    ///   - x: [tokens, 2, width]: gates and ups.
    ///   - y: [tokens, width]; overwritten.
    package static func siluRows(_ x: FloatSlice, width: Int, into y: FloatSlice) {
        check(x.count == 2 * y.count && y.count % width == 0, x.count, y.count)
        unsafe table.silu_rows(x.pointer, y.count / width, width, y.pointer)
    }

    /// The gradient of x.
    ///
    /// - Parameters:
    ///   - x: [tokens, 2, width].
    ///   - dy: [tokens, width].
    ///   - dx: [tokens, 2, width]; overwritten.
    package static func siluRowsBackward(
        _ x: FloatSlice, dy: FloatSlice, width: Int, into dx: FloatSlice
    ) {
        check(x.count == 2 * dy.count && dy.count % width == 0, x.count, dy.count)
        check(dx.count == x.count, dx.count, x.count)
        unsafe table.silu_rows_backward(
            x.pointer, dy.pointer, dy.count / width, width, dx.pointer)
    }

    /// Rotates the halves of the heads at the start of each row in place (RoPE), or back.
    ///
    /// - Parameters:
    ///   - x: [tokens, width].
    ///   - heads: Those that are rotated, of `headSize` each.
    ///   - cosines: [tokens, headSize / 2].
    ///   - sines: [tokens, headSize / 2]; their negatives rotate back.
    package static func rotate(
        _ x: FloatSlice, width: Int, cosines: FloatSlice, sines: FloatSlice, heads: Int,
        headSize: Int
    ) {
        let tokens = x.count / width
        check(
            x.count == tokens * width && width >= heads * headSize
                && cosines.count == tokens * headSize / 2 && sines.count == cosines.count,
            x.count, cosines.count)
        unsafe table.rotate_rows(
            x.pointer, width, cosines.pointer, sines.pointer, tokens, heads, headSize)
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
