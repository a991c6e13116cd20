internal import CKernels
package import Elements

/// How many elements of a tensor are not numbers or infinite.
package struct NonFiniteCount: Sendable, Hashable {
    package let nan: Int
    package let infinite: Int

    /// Nil unless `type` is F16, BF16, F32 or F64.
    ///
    /// - Parameter bytes: Little-endian elements at any alignment; traps when the last is cut off.
    /// - Complexity: One pass, nothing copied.
    package init?(_ bytes: RawSpan, type: ElementType) {
        guard let kernelType = type.kernelType else { return nil }
        let width = type.bitWidth / 8
        precondition(
            bytes.byteCount % width == 0, "\(bytes.byteCount) bytes of \(type.name) elements")
        let counts = unsafe bytes.withUnsafeBytes {
            unsafe cambium_count_non_finite($0.baseAddress, $0.count / width, kernelType)
        }
        self.nan = Int(counts.nan)
        self.infinite = Int(counts.infinite)
    }

    package init(nan: Int, infinite: Int) {
        self.nan = nan
        self.infinite = infinite
    }

    /// Of parts that lie one after the other.
    package init(_ bytes: RawSpan, _ parts: [TensorShape]) {
        self.init(nan: 0, infinite: 0)
        var start = 0
        for part in parts {
            let length = part.byteCount ?? 0
            if let count = NonFiniteCount(
                bytes.extracting(start..<(start + length)), type: part.type)
            {
                self = self + count
            }
            start += length
        }
    }

    package static func + (a: Self, b: Self) -> Self {
        Self(nan: a.nan + b.nan, infinite: a.infinite + b.infinite)
    }
}

/// How far one version of some weights is from another.
///
/// Adds up over parts.
package struct DifferenceNorms: Sendable, Hashable {
    /// Sum of before², in double.
    package var beforeSquared: Double
    /// Sum of after².
    package var afterSquared: Double
    /// Sum of before * after.
    package var product: Double
    /// Sum of (after - before)².
    package var changeSquared: Double
    /// The greatest |after - before|, of those that are numbers.
    package var greatest: Double

    /// Nothing compared yet: the neutral element of `+`.
    package init() {
        (beforeSquared, afterSquared, product, changeSquared, greatest) = (0, 0, 0, 0, 0)
    }

    /// Nil unless `type` is F16, BF16, F32 or F64.
    ///
    /// - Parameters:
    ///   - before: Little-endian elements at any alignment.
    ///   - after: As many.
    package init?(before: RawSpan, after: RawSpan, type: ElementType) {
        guard let kernelType = type.kernelType else { return nil }
        let width = type.bitWidth / 8
        precondition(
            before.byteCount == after.byteCount && before.byteCount % width == 0,
            "\(before.byteCount) and \(after.byteCount) bytes of \(type.name) elements")
        let sums = unsafe before.withUnsafeBytes { before in
            unsafe after.withUnsafeBytes { after in
                unsafe cambium_compare(
                    before.baseAddress, after.baseAddress, before.count / width, kernelType)
            }
        }
        self.beforeSquared = sums.before_before
        self.afterSquared = sums.after_after
        self.product = sums.before_after
        self.changeSquared = sums.change_change
        self.greatest = sums.greatest
    }

    /// The L2 norm of the change.
    package var change: Double { changeSquared.squareRoot() }

    /// The norm of the change as a part of what was before; nil when that is zero, or not finite.
    package var relativeChange: Double? {
        let share = (changeSquared / beforeSquared).squareRoot()
        return share.isFinite ? share : nil
    }

    /// The cosine between before and after, from -1 to 1; nil when either is zero, or not finite.
    package var cosine: Double? {
        let cosine = product / (beforeSquared * afterSquared).squareRoot()
        return cosine.isFinite ? min(1, max(-1, cosine)) : nil
    }

    package static func + (a: Self, b: Self) -> Self {
        var sum = Self()
        sum.beforeSquared = a.beforeSquared + b.beforeSquared
        sum.afterSquared = a.afterSquared + b.afterSquared
        sum.product = a.product + b.product
        sum.changeSquared = a.changeSquared + b.changeSquared
        sum.greatest = max(a.greatest, b.greatest)
        return sum
    }
}
