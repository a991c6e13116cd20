package import Elements

/// How the experts of a layer lie in memory and what they compute.
package struct GatedExpertForm: Sendable, Hashable {
    package typealias Kind = GatedExpertKind

    package let kind: Kind
    /// Elements of a hidden state.
    package let width: Int
    /// Elements between the two steps.
    package let intermediateSize: Int
    /// F32, F16 or BF16.
    package let type: ElementType

    package init(kind: Kind, width: Int, intermediateSize: Int, type: ElementType) {
        precondition(
            width > 0 && intermediateSize > 0 && type.isReadInRows,
            "experts of \(width) x \(intermediateSize) \(type.name)")
        self.kind = kind
        self.width = width
        self.intermediateSize = intermediateSize
        self.type = type
    }

    /// The tensors of one expert, in the order of its bytes.
    package var parts: [TensorShape] {
        switch kind {
        case .rows:
            [[intermediateSize, width], [intermediateSize, width], [width, intermediateSize]].map {
                TensorShape(type, $0)
            }
        case .columns:
            [
                [width, 2 * intermediateSize], [2 * intermediateSize], [intermediateSize, width],
                [width],
            ].map { TensorShape(type, $0) }
        }
    }

    /// Bytes of the elements before the tensor at a place in ``parts``.
    func offset(_ part: Int) -> Int {
        parts.prefix(part).reduce(0) { $0 + ($1.byteCount ?? 0) }
    }
}
