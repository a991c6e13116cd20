/// Floating-point types as they are stored, one element at a time.
package struct FloatCode {
    package let type: ElementType

    package init?(rawValue type: ElementType) {
        guard [.f16, .bf16, .f32, .f64].contains(type) else { return nil }
        self.type = type
    }

    package var width: Int { type.bitWidth / 8 }

    @inlinable
    package func decode(_ bytes: [UInt8], _ offset: Int) -> Double {
        let span = bytes.raw
        switch type {
        case .f16: return Double(Float16(bitPattern: span.number(at: offset)))
        case .bf16:
            return Double(Float(bitPattern: UInt32(span.number(at: offset, as: UInt16.self)) << 16))
        case .f32: return Double(Float(bitPattern: span.number(at: offset)))
        default: return Double(bitPattern: span.number(at: offset))
        }
    }

    private func append(_ value: Double, to bytes: inout [UInt8]) {
        switch type {
        case .f16: append(bits: UInt64(Float16(value).bitPattern), &bytes)
        case .bf16: append(bits: UInt64(Self.bfloat(value)), &bytes)
        case .f32: append(bits: UInt64(Float(value).bitPattern), &bytes)
        default: append(bits: value.bitPattern, &bytes)
        }
    }

    private func append(bits: UInt64, _ bytes: inout [UInt8]) {
        for shift in 0..<width {
            bytes.append(UInt8(truncatingIfNeeded: bits >> UInt64(8 * shift)))
        }
    }

    /// The nearest bfloat16 of a float, ties to even; both as bits.
    @inlinable
    package static func bfloat(of bits: UInt32) -> UInt16 {
        // What is infinite or not a number would leave its class by rounding.
        guard bits & 0x7F80_0000 != 0x7F80_0000 else {
            return UInt16(bits >> 16) | (bits & 0x007F_FFFF == 0 ? 0 : 0x40)
        }
        return UInt16(truncatingIfNeeded: (bits + 0x7FFF + (bits >> 16 & 1)) >> 16)
    }

    /// The nearest bfloat16, ties to even.
    ///
    /// Rounding to Float first could round twice, so the float is rounded to odd: its last bit says
    /// whether anything was cut off.
    private static func bfloat(_ value: Double) -> UInt16 {
        var odd = Float(value)
        if value.isFinite, Double(odd) != value {
            if abs(Double(odd)) > abs(value) { odd = odd > 0 ? odd.nextDown : odd.nextUp }
            odd = Float(bitPattern: odd.bitPattern | 1)
        }
        return bfloat(of: odd.bitPattern)
    }
}

extension FloatCode {
    /// The elements of parts that lie one after the other; nil when one is not a float of 16 bits or more.
    package static func decode(_ bytes: [UInt8], _ parts: [TensorShape]) -> [Double]? {
        var values: [Double] = []
        var start = 0
        for part in parts {
            guard let code = FloatCode(rawValue: part.type), let length = part.byteCount,
                start + length <= bytes.count
            else { return nil }
            for offset in stride(from: start, to: start + length, by: code.width) {
                values.append(code.decode(bytes, offset))
            }
            start += length
        }
        return start == bytes.count ? values : nil
    }

    /// The bytes of ``decode(_:_:)``: each value rounded once, to the nearest, ties to even.
    package static func encode(_ values: [Double], _ parts: [TensorShape]) -> [UInt8]? {
        var bytes: [UInt8] = []
        var position = 0
        for part in parts {
            guard let code = FloatCode(rawValue: part.type), let length = part.byteCount,
                position + length / code.width <= values.count
            else { return nil }
            for _ in 0..<(length / code.width) {
                code.append(values[position], to: &bytes)
                position += 1
            }
        }
        return position == values.count ? bytes : nil
    }
}
