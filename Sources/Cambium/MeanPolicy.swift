package import Elements
package import Snapshots

/// The weighted mean of the sides that changed an entity, element by element.
///
/// Lossy, and asked for by name. Sums run in double, over the sides in the order of their bytes, and
/// are rounded once to the stored type (nearest, ties to even): the result depends on the values and
/// weights alone, not on the order of the sides.
package struct MeanPolicy: ConflictPolicy {
    package let name = "mean"
    /// One weight per side, the target's first.
    package let weights: [Double]

    package init(weights: [Double]) { self.weights = weights }

    package func resolve(
        _ entity: MergeEntity, parts: [TensorShape], base: [UInt8]?, values: [ConflictValue]
    ) -> ConflictValue? {
        let sides = values.compactMap { value in
            value.bytes.map { (bytes: $0, weight: weights[value.side], side: value.side) }
        }
        // A removal has no mean, and neither have texts and integers.
        guard sides.count == values.count, !parts.isEmpty,
            parts.allSatisfy({ FloatCode(rawValue: $0.type) != nil })
        else { return nil }
        let ordered = sides.sorted { left, right in
            left.bytes == right.bytes
                ? left.weight < right.weight
                : left.bytes.lexicographicallyPrecedes(right.bytes)
        }
        let total = ordered.reduce(0) { $0 + $1.weight }
        guard total > 0 else { return nil }
        var result: [UInt8] = []
        result.reserveCapacity(ordered[0].bytes.count)
        var start = 0
        for part in parts {
            guard let code = FloatCode(rawValue: part.type), let length = part.byteCount else {
                return nil
            }
            for offset in stride(from: start, to: start + length, by: code.width) {
                var sum = 0.0
                for side in ordered {
                    sum += side.weight * code.decode(side.bytes, offset)
                }
                code.append(sum / total, to: &result)
            }
            start += length
        }
        return ConflictValue(side: ordered[0].side, bytes: result)
    }
}

/// Floating-point types as they are stored, one element at a time.
private struct FloatCode {
    private let type: ElementType

    init?(rawValue type: ElementType) {
        guard [.f16, .bf16, .f32, .f64].contains(type) else { return nil }
        self.type = type
    }

    var width: Int { type.bitWidth / 8 }

    func decode(_ bytes: [UInt8], _ offset: Int) -> Double {
        let span = bytes.raw
        switch type {
        case .f16: return Double(Float16(bitPattern: span.number(at: offset)))
        case .bf16:
            return Double(Float(bitPattern: UInt32(span.number(at: offset, as: UInt16.self)) << 16))
        case .f32: return Double(Float(bitPattern: span.number(at: offset)))
        default: return Double(bitPattern: span.number(at: offset))
        }
    }

    func append(_ value: Double, to bytes: inout [UInt8]) {
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

    /// The nearest bfloat16, ties to even.
    ///
    /// Rounding to Float first could round twice, so the float is rounded to odd: its last bit says
    /// whether anything was cut off.
    private static func bfloat(_ value: Double) -> UInt16 {
        guard value.isFinite else {
            return UInt16(Float(value).bitPattern >> 16) | (value.isNaN ? 0x40 : 0)
        }
        var odd = Float(value)
        if Double(odd) != value {
            if abs(Double(odd)) > abs(value) { odd = odd > 0 ? odd.nextDown : odd.nextUp }
            odd = Float(bitPattern: odd.bitPattern | 1)
        }
        let bits = odd.bitPattern
        let rounding = UInt32(0x7FFF) + (bits >> 16 & 1)
        return UInt16(truncatingIfNeeded: (bits &+ rounding) >> 16)
    }
}
