internal import CKernels

/// The fixed-order kernels over spans.
///
/// Their results depend neither on the batch, nor on threads, nor on the CPU. All sizes are checked;
/// a mismatch traps.
package enum Kernels {
    /// Which variant this CPU runs, "scalar", "avx2" or "avx512": all give the same bits.
    package static var variant: String { unsafe String(cString: cambium_kernel_variant()) }

    /// Sum of x[i] * y[i].
    package static func dot(_ x: Span<Float>, _ y: Span<Float>) -> Float {
        precondition(x.count == y.count, "dot of \(x.count) and \(y.count) elements")
        return unsafe x.withUnsafeBufferPointer { x in
            unsafe y.withUnsafeBufferPointer { y in
                guard let start = x.baseAddress else { return 0 }
                return unsafe cambium_dot(start, y.baseAddress, x.count)
            }
        }
    }

    /// y += a x.
    package static func axpy(_ a: Float, _ x: Span<Float>, into y: inout MutableSpan<Float>) {
        precondition(x.count == y.count, "axpy of \(x.count) and \(y.count) elements")
        unsafe x.withUnsafeBufferPointer { x in
            unsafe y.withUnsafeMutableBufferPointer { y in
                guard let target = y.baseAddress else { return }
                unsafe cambium_axpy(a, x.baseAddress, target, x.count)
            }
        }
    }

    /// out = x / sqrt(mean(x^2) + epsilon) * weight, token by token.
    ///
    /// - Parameters:
    ///   - x: [tokens, width].
    ///   - weight: [width].
    ///   - out: [tokens, width].
    package static func rmsNorm(
        _ x: Span<Float>, weight: Span<Float>, epsilon: Float, into out: inout MutableSpan<Float>
    ) {
        let width = weight.count
        precondition(
            width > 0 && x.count % width == 0 && out.count == x.count,
            "norm of \(x.count) -> \(out.count) elements by \(width)")
        unsafe x.withUnsafeBufferPointer { x in
            unsafe weight.withUnsafeBufferPointer { weight in
                unsafe out.withUnsafeMutableBufferPointer { out in
                    guard let x = x.baseAddress, let target = out.baseAddress else { return }
                    unsafe cambium_rms_norm(
                        x, weight.baseAddress, out.count / width, width, epsilon, target)
                }
            }
        }
    }

    /// As ``rmsNorm(_:weight:epsilon:into:)``, in place.
    package static func rmsNorm(
        _ x: inout MutableSpan<Float>, weight: Span<Float>, epsilon: Float
    ) {
        let width = weight.count
        precondition(width > 0 && x.count % width == 0, "norm of \(x.count) elements by \(width)")
        unsafe x.withUnsafeMutableBufferPointer { x in
            unsafe weight.withUnsafeBufferPointer { weight in
                guard let start = x.baseAddress else { return }
                unsafe cambium_rms_norm(
                    start, weight.baseAddress, x.count / width, width, epsilon, start)
            }
        }
    }

    /// Each `width` elements of x = themselves / sqrt(mean of their squares + epsilon), in place.
    package static func rmsNormalise(
        _ x: inout MutableSpan<Float>, width: Int, epsilon: Float
    ) {
        precondition(width > 0 && x.count % width == 0, "norm of \(x.count) elements by \(width)")
        unsafe x.withUnsafeMutableBufferPointer { x in
            guard let start = x.baseAddress else { return }
            unsafe cambium_rms_norm(start, nil, x.count / width, width, epsilon, start)
        }
    }

    /// gate = gate * sigmoid(gate) * up.
    package static func siluGate(_ gate: inout MutableSpan<Float>, up: Span<Float>) {
        precondition(gate.count == up.count, "gate of \(gate.count), up of \(up.count) elements")
        unsafe up.withUnsafeBufferPointer { up in
            unsafe gate.withUnsafeMutableBufferPointer { gate in
                guard let up = up.baseAddress, let target = gate.baseAddress else { return }
                unsafe cambium_silu_gate(target, up, gate.count)
            }
        }
    }

    /// gate = GELU(gate) * up, GELU by its tanh.
    package static func geluGate(_ gate: inout MutableSpan<Float>, up: Span<Float>) {
        precondition(gate.count == up.count, "gate of \(gate.count), up of \(up.count) elements")
        unsafe up.withUnsafeBufferPointer { up in
            unsafe gate.withUnsafeMutableBufferPointer { gate in
                guard let up = up.baseAddress, let target = gate.baseAddress else { return }
                unsafe cambium_gelu_gate(target, up, gate.count)
            }
        }
    }

    /// x = 1 / (1 + e^-x), in place.
    package static func sigmoid(_ x: inout MutableSpan<Float>) {
        unsafe x.withUnsafeMutableBufferPointer { x in
            guard let start = x.baseAddress else { return }
            unsafe cambium_sigmoid(start, x.count)
        }
    }

    /// Each `width` elements of x = their softmax, in place.
    package static func softmax(_ x: inout MutableSpan<Float>, width: Int) {
        precondition(width > 0 && x.count % width == 0, "softmax of \(x.count) by \(width)")
        unsafe x.withUnsafeMutableBufferPointer { x in
            guard let start = x.baseAddress else { return }
            for row in 0..<x.count / width {
                unsafe cambium_softmax(start + row * width, width)
            }
        }
    }

    /// out = ln softmax(x), row by row of `width` elements.
    package static func logSoftmax(
        _ x: Span<Float>, width: Int, into out: inout MutableSpan<Float>
    ) {
        precondition(
            width > 0 && x.count % width == 0 && out.count == x.count,
            "softmax of \(x.count) -> \(out.count) by \(width)")
        unsafe x.withUnsafeBufferPointer { x in
            unsafe out.withUnsafeMutableBufferPointer { out in
                guard let source = x.baseAddress, let target = out.baseAddress else { return }
                for row in 0..<x.count / width {
                    unsafe cambium_log_softmax(source + row * width, width, target + row * width)
                }
            }
        }
    }

    /// ln x; -infinity at 0 and below.
    package static func log(_ x: Float) -> Float { cambium_log(x) }

    /// x Φ(x), the exact form 0.5 x (1 + erf(x / √2)); relative error below 4e-7.
    package static func gelu(_ x: Float) -> Float { cambium_gelu(x) }

    /// e^x; 0 below -87.3, infinity above 88.
    package static func exp(_ x: Float) -> Float { cambium_exp(x) }

    /// Minus ln softmax(logits)[target] in nats, by log-sum-exp in double.
    ///
    /// Not finite when a logit is NaN or infinite.
    package static func crossEntropy(_ logits: Span<Float>, target: Int) -> Double {
        precondition(
            target >= 0 && target < logits.count, "target \(target) of \(logits.count) logits")
        return unsafe logits.withUnsafeBufferPointer {
            guard let start = $0.baseAddress else { return .nan }
            return unsafe cambium_cross_entropy(start, $0.count, target)
        }
    }
}
