internal import CKernels
package import Elements

/// The element types that kernels read as numbers.
extension ElementType {
    var kernelType: cambium_float_type? {
        switch self {
        case .f16: CAMBIUM_F16
        case .bf16: CAMBIUM_BF16
        case .f32: CAMBIUM_F32
        case .f64: CAMBIUM_F64
        default: nil
        }
    }

    /// Whether `convertToFloat` and the measures understand this type: F16, BF16, F32 and F64.
    package var isReadAsFloat: Bool { kernelType != nil }
}

/// Reads stored elements as floats: exact for F16, BF16 and F32, rounded for F64.
///
/// - Parameters:
///   - bytes: `out.count` little-endian elements, at any alignment.
///   - type: One for which `isReadAsFloat` holds.
package func convertToFloat(_ bytes: RawSpan, type: ElementType, into out: inout MutableSpan<Float>)
{
    guard let kernelType = type.kernelType else {
        preconditionFailure("\(type.name) elements are not read as floats")
    }
    precondition(
        bytes.byteCount * 8 == out.count * type.bitWidth,
        "\(bytes.byteCount) bytes for \(out.count) \(type.name) elements")
    unsafe bytes.withUnsafeBytes { bytes in
        unsafe out.withUnsafeMutableBufferPointer { out in
            guard let source = bytes.baseAddress, let target = out.baseAddress else { return }
            unsafe cambium_to_float(source, out.count, kernelType, target)
        }
    }
}
