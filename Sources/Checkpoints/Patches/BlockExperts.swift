internal import Architectures
internal import Elements
internal import Snapshots
internal import Tensors

/// The experts of one layer in blocks of codes: what their tensors are called then, and how one is made of floats.
struct BlockExperts: Sendable {
    /// Of one expert, in the order of its bytes.
    let parts: [TensorShape]
    /// The tensors of a checkpoint that hold them.
    let tensors: [Layout.PoolTensor]
    private let form: BlockForm
    private let contents: [CodedWeights.ExpertPart]
    private let sizes: ModelDescription.Experts
    private let hidden: Int
    /// What an expert is before.
    private let before: [TensorShape]

    /// - Parameters:
    ///   - hidden: Elements of a hidden state.
    ///   - pool: Experts of floats, as the engine runs them.
    ///   - layout: The tensors that hold them.
    /// - Throws: `.unsupported` for experts whose tensors have no names for codes.
    init(
        _ form: BlockForm, _ sizes: ModelDescription.Experts, hidden: Int, _ pool: ExpertPool,
        _ layout: Layout.Pool
    ) throws {
        self.form = form
        self.sizes = sizes
        self.hidden = hidden
        before = pool.parts
        let coding = form.coding
        let isStacked = sizes.kind != .rows
        let (prefix, matrices) = try Self.names(layout, isStacked: isStacked)
        contents = form.weights(isStacked: isStacked).expertParts(of: matrices)
        var parts: [TensorShape] = []
        var tensors: [Layout.PoolTensor] = []
        for part in contents {
            let (rows, columns) = Self.shapes(sizes, hidden)[part.matrix]
            let shape =
                switch part.content {
                case .codes: coding.codes(rows: rows, columns: columns)
                case .scales:
                    TensorShape(.f16, coding.scales(rows: rows, columns: columns)[0])
                default: pool.parts[2 * part.matrix + 1]
                }
            guard let shape else { preconditionFailure("\(columns) columns are no whole blocks") }
            parts.append(shape)
            tensors.append(
                Layout.PoolTensor(
                    template: prefix + part.name, stacked: isStacked, slice: shape.dimensions,
                    partCount: 1))
        }
        (self.parts, self.tensors) = (parts, tensors)
    }

    /// Rows and columns of the matrices of an expert, each by rows.
    private static func shapes(
        _ sizes: ModelDescription.Experts, _ hidden: Int
    ) -> [(rows: Int, columns: Int)] {
        let inner = sizes.intermediateSize
        return sizes.kind == .rows
            ? [(inner, hidden), (inner, hidden), (hidden, inner)]
            : [(2 * inner, hidden), (hidden, inner)]
    }

    /// A number of inputs of a matrix of an expert that is no multiple of a block; nil where all are.
    static func oddInputs(_ sizes: ModelDescription.Experts, _ hidden: Int) -> Int? {
        shapes(sizes, hidden).map(\.columns).first { $0 % BlockForm.size != 0 }
    }

    /// What stands before a matrix's name in a tensor's, and the matrices' names.
    ///
    /// Experts that are in one tensor, gate rows first, get tensors of their own, as published codes have them.
    private static func names(
        _ pool: Layout.Pool, isStacked: Bool
    ) throws -> (prefix: String, matrices: [String]) {
        let own = ExpertNames.experts + PoolTensor.placeholder + "."
        let names = pool.tensors.map(\.template)
        if let first = pool.tensors.first, first.stacked {
            let inner = ExpertNames.experts + ExpertNames.stacked[0]
            if first.template.hasSuffix(inner) {
                let block = String(first.template.dropLast(inner.count))
                return isStacked
                    ? (block + ExpertNames.experts, ExpertNames.stacked)
                    : (block + own, ExpertNames.gated)
            }
            let beside = ExpertNames.stackedBeside[0]
            if !isStacked, first.template.hasSuffix(beside) {
                return (first.template.dropLast(beside.count) + own, ExpertNames.gated)
            }
        } else if !isStacked {
            for triple in ExpertNames.triples {
                guard names.count == 3, names[0].hasSuffix(own + triple[0]) else { continue }
                let prefix = String(names[0].dropLast(triple[0].count))
                if names == triple.map({ prefix + $0 }) { return (prefix, triple) }
            }
        }
        throw CambiumError(
            .unsupported,
            "the experts of layer \(pool.layer) are \(names.joined(separator: ", ")), which have no names "
                + "as codes; gate, up and down of each in tensors of their own have, and gate_up_proj and "
                + "down_proj of all")
    }

    /// An expert in blocks.
    ///
    /// - Parameter expert: Of floats, checked.
    /// - Returns: Its bytes, and how many blocks are ``BlockCodes/coarse``.
    /// - Throws: `.unsupported` for numbers that have no codes.
    func encode(_ expert: RawSpan) throws -> (bytes: [UInt8], coarse: Int) {
        var encoded: [BlockCodes] = []
        for matrix in Self.shapes(sizes, hidden).indices {
            encoded.append(try BlockCodes(values(matrix, expert).span, form.coding))
        }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(parts.reduce(0) { $0 + ($1.byteCount ?? 0) })
        for part in contents {
            switch part.content {
            case .codes: bytes += encoded[part.matrix].codes
            case .scales: bytes += encoded[part.matrix].scales
            default: bytes += expert.copy(range(2 * part.matrix + 1))
            }
        }
        return (bytes, encoded.reduce(0) { $0 + $1.coarse })
    }

    /// The bytes of a part of an expert of floats.
    private func range(_ part: Int) -> Range<Int> {
        let start = before.prefix(part).reduce(0) { $0 + ($1.byteCount ?? 0) }
        return start..<start + (before[part].byteCount ?? 0)
    }

    /// A matrix by rows.
    private func values(_ matrix: Int, _ expert: RawSpan) -> [Float] {
        let (rows, columns) = Self.shapes(sizes, hidden)[matrix]
        let part = sizes.kind == .rows ? matrix : 2 * matrix
        var values = [Float](repeating: 0, count: rows * columns)
        do {
            var span = values.mutableSpan
            convertToFloat(
                expert.extracting(range(part)), type: before[part].type, into: &span)
        }
        guard sizes.kind != .rows else { return values }
        // By columns: [columns, rows].
        var across = [Float](repeating: 0, count: rows * columns)
        var target = across.mutableSpan
        let source = values.span
        for column in 0..<columns {
            for row in 0..<rows { target[row * columns + column] = source[column * rows + row] }
        }
        return across
    }
}
