package import Elements

/// How the experts of a layer lie in memory and what they compute.
package struct GatedExpertForm: Sendable, Hashable {
    package typealias Kind = GatedExpertKind

    package let kind: Kind
    /// Elements of a hidden state.
    package let width: Int
    /// Elements between the two steps.
    package let inner: Int
    /// F32, F16 or BF16.
    package let type: ElementType

    package init(kind: Kind, width: Int, inner: Int, type: ElementType) {
        precondition(
            width > 0 && inner > 0 && type.isReadInRows,
            "experts of \(width) x \(inner) \(type.name)")
        self.kind = kind
        self.width = width
        self.inner = inner
        self.type = type
    }

    /// The tensors of one expert, in the order of its bytes.
    package var parts: [TensorShape] {
        switch kind {
        case .rows:
            [[inner, width], [inner, width], [width, inner]].map { TensorShape(type, $0) }
        case .columns:
            [[width, 2 * inner], [2 * inner], [inner, width], [width]].map { TensorShape(type, $0) }
        }
    }

    /// Bytes of the elements before the tensor at a place in ``parts``.
    func offset(_ part: Int) -> Int {
        parts.prefix(part).reduce(0) { $0 + ($1.byteCount ?? 0) }
    }
}
