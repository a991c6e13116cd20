internal import CKernels

/// By how much each pair of a head's elements turns from one position to the next (RoPE, 2104.09864,
/// section 3.2.2), computed by our own functions: the C library's differ from CPU to CPU.
package struct RotationFrequencies: Sendable, Hashable {
    /// Radians for each pair, [size / 2], 0 to 1.
    package let values: [Double]
    /// What cosines and sines are multiplied with.
    package let factor: Double

    /// - Parameters:
    ///   - values: Each 0 to 1.
    package init(values: [Double], factor: Double = 1) {
        precondition(
            values.allSatisfy { $0 >= 0 && $0 <= 1 } && factor.isFinite,
            "frequencies \(values) by \(factor)")
        self.values = values
        self.factor = factor
    }

    /// theta^(-2i / size) for i < size / 2.
    ///
    /// - Parameter theta: At least 1.
    package init(theta: Double, size: Int) {
        precondition(theta >= 1 && size >= 0, "theta \(theta) of \(size) elements")
        var values = [Double](repeating: 0, count: size / 2)
        unsafe values.withUnsafeMutableBufferPointer {
            guard let start = $0.baseAddress else { return }
            unsafe cambium_rotation_frequencies(theta, size, start)
        }
        self.init(values: values)
    }

    /// Elements of a head that turn.
    package var size: Int { 2 * values.count }

    /// cos and sin of adjacent positions, computed in double and rounded once.
    ///
    /// - Parameters:
    ///   - first: The first position; all are below 2^20.
    ///   - cosines: [positions, size / 2].
    ///   - sines: [positions, size / 2].
    package func fill(
        from first: Int, cosines: inout MutableSpan<Float>, sines: inout MutableSpan<Float>
    ) {
        let half = values.count
        let positions = half == 0 ? 0 : cosines.count / half
        precondition(
            first >= 0 && first + positions <= 1 << 20 && cosines.count == positions * half
                && sines.count == cosines.count,
            "\(cosines.count) rotations from position \(first)")
        unsafe cosines.withUnsafeMutableBufferPointer { cosines in
            unsafe sines.withUnsafeMutableBufferPointer { sines in
                guard let cosines = cosines.baseAddress, let sines = sines.baseAddress else {
                    return
                }
                for position in 0..<positions {
                    unsafe cambium_rotation(
                        first + position, values, half, factor, cosines + position * half,
                        sines + position * half)
                }
            }
        }
    }
}

extension RotationFrequencies {
    /// ln x with the bits that frequencies are computed from; elsewhere take that of ``Kernels``.
    ///
    /// - Parameter x: Finite and above 0.
    package static func log(_ x: Double) -> Double { cambium_rotation_log(x) }
}

extension Kernels {
    /// ln x in double, with the same bits on every CPU and with every C library.
    package static func log(_ x: Double) -> Double { cambium_log_of_double(x) }

    /// e^x in double, with the same bits on every CPU and with every C library.
    package static func exp(_ x: Double) -> Double { cambium_exp_of_double(x) }
}
