/// The dtype and the dimensions of one tensor, outermost dimension first.
package struct TensorShape: Sendable, Hashable, CustomStringConvertible {
    package let type: ElementType
    package let dimensions: [Int]

    package init(_ type: ElementType, _ dimensions: [Int]) {
        self.type = type
        self.dimensions = dimensions
    }

    /// The elements of the tensor, one when it has no dimensions.
    package var elementCount: Int { dimensions.reduce(1, &*) }

    /// The bytes of the tensor (one element when it has no dimensions).
    ///
    /// Nil when a dimension is negative, the count overflows, or the elements do not fill whole
    /// bytes.
    package var byteCount: Int? {
        var elements = 1
        for dimension in dimensions {
            guard dimension >= 0 else { return nil }
            let (product, overflow) = elements.multipliedReportingOverflow(by: dimension)
            guard !overflow else { return nil }
            elements = product
        }
        let (bits, overflow) = elements.multipliedReportingOverflow(by: type.bitWidth)
        guard !overflow, bits % 8 == 0 else { return nil }
        return bits / 8
    }

    /// For example `F32[4096, 128]`.
    package var description: String { "\(type.name)\(dimensions)" }
}
