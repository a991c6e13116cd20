package import Elements

/// How the experts of a layer lie in memory and what they compute.
package struct GatedExpertForm: Sendable, Hashable {
    package typealias Kind = GatedExpertKind

    /// A matrix of an expert that is codes and scales, and which parts of the expert it is.
    package struct Coded: Sendable, Hashable {
        package let form: CodedForm
        package let codes: Int
        package let scales: Int
        /// Nil where the coding has none.
        package let zeros: Int?
        /// What is added behind it; nil for nothing.
        package let bias: Int?

        package init(
            _ form: CodedForm, codes: Int, scales: Int, zeros: Int? = nil, bias: Int? = nil
        ) {
            precondition(form.coding.isByColumns == (zeros != nil), "zero points of codes")
            (self.form, self.codes, self.scales) = (form, codes, scales)
            (self.zeros, self.bias) = (zeros, bias)
        }
    }

    /// A tensor of an expert that only repeats what the form says, and what it is then.
    package struct Repeated: Sendable, Hashable {
        package let part: Int
        package let bytes: [UInt8]
        /// For messages.
        package let name: String

        package init(part: Int, bytes: [UInt8], name: String) {
            (self.part, self.bytes, self.name) = (part, bytes, name)
        }
    }

    package let kind: Kind
    /// Elements of a hidden state.
    package let width: Int
    /// Elements between the two steps.
    package let intermediateSize: Int
    /// F32, F16 or BF16; of codes that of the biases.
    package let type: ElementType
    /// Gate, up and down, or gate-up and down, of experts that are codes: each by rows, whatever the kind; empty for
    /// floats.
    package let coded: [Coded]
    /// Of experts that are codes.
    package let repeated: [Repeated]
    /// The tensors of one expert, in the order of its bytes.
    package let parts: [TensorShape]
    private let offsets: [Int]
    /// Of experts of rows.
    package let activation: GateActivation

    package init(
        kind: Kind, width: Int, intermediateSize: Int, type: ElementType,
        activation: GateActivation = .silu
    ) {
        precondition(
            width > 0 && intermediateSize > 0 && type.isReadInRows,
            "experts of \(width) x \(intermediateSize) \(type.name)")
        self.kind = kind
        self.width = width
        self.intermediateSize = intermediateSize
        self.type = type
        (coded, repeated) = ([], [])
        let shapes =
            switch kind {
            case .rows:
                [
                    [intermediateSize, width], [intermediateSize, width],
                    [width, intermediateSize],
                ]
            case .columns:
                [
                    [width, 2 * intermediateSize], [2 * intermediateSize],
                    [intermediateSize, width], [width],
                ]
            }
        parts = shapes.map { TensorShape(type, $0) }
        offsets = Self.offsets(of: parts)
        self.activation = activation
    }

    /// Experts of codes.
    ///
    /// - Parameters:
    ///   - type: Of the biases.
    ///   - parts: Of an expert; those that `coded` names are shaped as their coding has them.
    package init(
        kind: Kind, width: Int, intermediateSize: Int, type: ElementType, coded: [Coded],
        repeated: [Repeated] = [], parts: [TensorShape], activation: GateActivation = .silu
    ) {
        precondition(
            width > 0 && intermediateSize > 0 && type.isReadInRows
                && coded.count == (kind == .rows ? 3 : 2)
                && coded.allSatisfy {
                    max($0.codes, $0.scales, $0.zeros ?? 0, $0.bias ?? 0) < parts.count
                },
            "experts of \(coded.count) matrices in \(parts)")
        self.kind = kind
        self.width = width
        self.intermediateSize = intermediateSize
        self.type = type
        self.coded = coded
        self.repeated = repeated
        self.parts = parts
        offsets = Self.offsets(of: parts)
        self.activation = activation
    }

    /// Bytes of the elements before the tensor at a place in ``parts``.
    func offset(_ part: Int) -> Int { offsets[part] }

    /// Of each part and the end: summed up once, not for each product.
    private static func offsets(of parts: [TensorShape]) -> [Int] {
        parts.reduce(into: [0]) { $0.append($0[$0.count - 1] + ($1.byteCount ?? 0)) }
    }

    /// A tensor of an expert that says otherwise than the form; nil where none does.
    @unsafe package func contradiction(in expert: UnsafeRawPointer) -> Repeated? {
        repeated.first { own in
            let found = unsafe UnsafeRawBufferPointer(
                start: expert + offset(own.part), count: own.bytes.count)
            return unsafe !found.elementsEqual(own.bytes)
        }
    }

    /// A matrix of an expert, by rows: gate, up and down, or gate-up and down.
    @unsafe func rows(_ matrix: Int, of expert: UnsafeRawPointer) -> StoredRows {
        let isDown = matrix == (kind == .rows ? 2 : 1)
        let columns = isDown ? intermediateSize : width
        guard !coded.isEmpty else {
            return unsafe StoredRows(
                content: .floats(expert + offset(matrix), type), width: columns)
        }
        let own = coded[matrix]
        return unsafe own.form.stored(
            expert + offset(own.codes), expert + offset(own.scales),
            zeros: own.zeros.map { unsafe expert + offset($0) },
            rows: isDown ? width : kind == .rows ? intermediateSize : 2 * intermediateSize,
            columns: columns)
    }

    /// Where the bias behind a matrix is among the parts; nil without.
    func bias(of matrix: Int) -> Int? {
        if !coded.isEmpty { return coded[matrix].bias }
        return kind == .rows ? nil : 2 * matrix + 1
    }
}
