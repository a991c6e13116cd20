internal import Architectures
internal import Elements
internal import Tensors

/// Matrices that are kept as codes and scales.
extension WeightLoader {
    /// The codes and scales of a matrix; nil when it is kept as floats.
    ///
    /// - Parameters:
    ///   - name: Of the matrix as floats, `MODULE.weight`.
    ///   - coded: How such matrices are kept; nil for floats.
    ///   - isCopied: Whether in memory of its own.
    /// - Throws: `.missingTensor` without scales; `.badTensor` for codes where the config has none, and for codes and
    ///   scales of other shapes.
    func codedRows(
        _ name: String, _ rows: Int, _ columns: Int, as coded: CodedWeights?, isCopied: Bool
    ) throws -> CodedRows? {
        guard let coded, name.hasSuffix(".weight"),
            let (codes, codesName) = try codes(coded, name)
        else { return nil }
        let module = String(name.dropLast(".weight".count))
        guard !coded.exempts(module) else {
            throw CambiumError(
                .badTensor,
                "tensor \(codesName) is \(codes.shape), but config says that \(module) has no codes"
            )
        }
        guard let shape = coded.coding.codes(rows: rows, columns: columns), codes.shape == shape
        else {
            throw unfit(codesName, codes.shape, coded, rows, columns)
        }
        var zeros: Weights?
        if let name = coded.zeros.map({ "\(module).\($0)" }) {
            let found = try needed(name, of: codesName, codes.shape)
            guard found.shape == coded.coding.zeros(rows: rows, columns: columns) else {
                throw unfit(name, found.shape, coded, rows, columns)
            }
            zeros = found
        }
        let scalesName = "\(module).\(coded.scales)"
        let scales = try needed(scalesName, of: codesName, codes.shape)
        guard coded.coding.scaleTypes.contains(scales.shape.type),
            coded.coding.scales(rows: rows, columns: columns).contains(scales.shape.dimensions)
        else {
            throw unfit(scalesName, scales.shape, coded, rows, columns)
        }
        for (name, found) in [(codesName, codes), (scalesName, scales), (module, zeros ?? codes)]
        where found.bytes.count != found.shape.byteCount {
            throw CambiumError(
                .badTensor,
                "tensor \(name) has \(found.bytes.count) bytes; \(found.shape) needs another count")
        }
        if let shape = coded.shape {
            try check(
                needed("\(module).\(shape)", of: codesName, codes.shape), rows, columns, module)
        }
        if let groups = coded.groups.map({ "\(module).\($0)" }) {
            try check(
                groups: needed(groups, of: codesName, codes.shape), groups, coded, columns)
        }
        func place(_ bytes: MappedBytes) -> MappedBytes {
            isCopied ? bytes.alone() : bytes
        }
        return CodedRows(
            CodedForm(coded.coding, scaleType: scales.shape.type), rows: rows, columns: columns,
            codes: place(codes.bytes), scales: place(scales.bytes),
            zeros: zeros.map { place($0.bytes) })
    }

    /// The tensor of codes of a matrix; nil when there is none.
    private func codes(_ coded: CodedWeights, _ name: String) throws -> (Weights, String)? {
        let own = name.dropLast("weight".count) + coded.codes
        do {
            let found = try source.tensor(String(own))
            return found.shape.type == coded.coding.codeType ? (found, String(own)) : nil
        } catch let error as CambiumError where error.code == .missingTensor { return nil }
    }

    private func needed(
        _ name: String, of codes: String, _ shape: TensorShape
    ) throws -> Weights {
        do {
            return try source.tensor(name)
        } catch let error as CambiumError where error.code == .missingTensor {
            throw CambiumError(
                .missingTensor,
                "tensor \(codes) is codes (\(shape)) that mean nothing without \(name), which is missing",
                cause: error)
        }
    }

    private func unfit(
        _ name: String, _ shape: TensorShape, _ coded: CodedWeights, _ rows: Int, _ columns: Int
    ) -> CambiumError {
        let types = coded.coding.scaleTypes.map(\.name).joined(separator: ", ")
        let wanted =
            coded.coding.codes(rows: rows, columns: columns).map {
                "codes \($0)\(coded.coding.zeros(rows: rows, columns: columns).map { ", zero points \($0)" } ?? "") and scales \(coded.coding.scales(rows: rows, columns: columns)[0]) of type \(types)"
            } ?? "a number of columns that its codes and scales divide evenly"
        return CambiumError(
            .badTensor,
            "tensor \(name) is \(shape); a matrix of \(rows) x \(columns) as \(coded.method) has \(wanted)"
        )
    }

    /// Refuses a tensor that repeats the shape and has another.
    private func check(_ found: Weights, _ rows: Int, _ columns: Int, _ module: String) throws {
        let size = found.shape.type.bitWidth / 8
        guard [.i64, .i32].contains(found.shape.type), found.shape.dimensions == [2],
            found.bytes.count == 2 * size
        else {
            throw CambiumError(
                .badTensor, "the shape of \(module)'s codes is \(found.shape); I64[2] is expected")
        }
        let bytes = found.bytes.copy()
        let stated = [0, size].map { start in
            bytes[start..<start + size].reversed().reduce(Int64(0)) { $0 << 8 | Int64($1) }
        }
        guard stated == [Int64(rows), Int64(columns)] else {
            throw CambiumError(
                .badTensor,
                "the codes of \(module) say that they are \(stated[0]) x \(stated[1]); config asks for "
                    + "\(rows) x \(columns)")
        }
    }

    /// Refuses groups of inputs that are not adjacent.
    private func check(
        groups found: Weights, _ name: String, _ coded: CodedWeights, _ columns: Int
    ) throws {
        let size = coded.coding.scaleColumns ?? columns
        let bytes = found.bytes.copy()
        guard found.shape == TensorShape(.i32, [columns]), bytes.count == 4 * columns,
            (0..<columns).allSatisfy({ input in
                (0..<4).reduce(0) { $0 | Int(bytes[4 * input + $1]) << (8 * $1) } == input / size
            })
        else {
            throw CambiumError(
                .badTensor,
                "tensor \(name) is \(found.shape) and puts inputs into other groups than \(size) adjacent ones each, "
                    + "which are run (desc_act is false)")
        }
    }

    // MARK: Experts

    /// How the experts of a layer are kept as codes; nil when they are floats.
    ///
    /// - Throws: `.missingTensor`, `.unusedTensor` or `.badTensor`, naming the part of an expert.
    func codedExperts(
        _ table: any ExpertTable, _ sizes: ModelDescription.Experts, _ layer: Int
    ) throws -> GatedExpertForm? {
        guard let coded = description.coded.experts,
            table.parts.contains(where: { $0.type == coded.coding.codeType })
        else { return nil }
        let (hidden, inner) = (description.hiddenSize, sizes.intermediateSize)
        let names = try source.expertNames(layer: layer)
        if let module = coded.exemptExperts(names ?? [], count: table.count) {
            throw CambiumError(
                .badTensor,
                "an expert of layer \(layer) is \(table.parts), but config says that \(module) has no codes"
            )
        }
        let matrices =
            coded.isOfStackedExperts ? ExpertNames.stacked : matrices(of: names ?? [])
        let wanted = coded.expertParts(of: matrices)
        try check(names, wanted.map(\.name), layer)
        guard table.parts.count == wanted.count else {
            throw CambiumError(
                .badTensor,
                "an expert of layer \(layer) is \(table.parts); as \(coded.method) it has "
                    + wanted.map(\.name).joined(separator: ", "))
        }
        let shapes =
            coded.isOfStackedExperts
            ? [(2 * inner, hidden), (hidden, inner)]
            : [(inner, hidden), (inner, hidden), (hidden, inner)]
        for (part, found) in zip(wanted, table.parts) {
            let (rows, columns) = shapes[part.matrix]
            let fits =
                switch part.content {
                case .codes: found == coded.coding.codes(rows: rows, columns: columns)
                case .scales:
                    coded.coding.scaleTypes.contains(found.type)
                        && coded.coding.scales(rows: rows, columns: columns)
                            .contains(found.dimensions)
                case .zeros: found == coded.coding.zeros(rows: rows, columns: columns)
                case .groups: found == TensorShape(.i32, [columns])
                case .shape: [.i64, .i32].contains(found.type) && found.dimensions == [2]
                case .bias: found.type.isTrunkType && found.dimensions == [rows]
                }
            guard fits else {
                throw unfit(
                    "\(part.name) of an expert of layer \(layer)", found, coded, rows, columns)
            }
        }
        func place(_ content: CodedWeights.ExpertPart.Content, _ matrix: Int) -> Int? {
            wanted.firstIndex { $0.content == content && $0.matrix == matrix }
        }
        var forms: [GatedExpertForm.Coded] = []
        for matrix in matrices.indices {
            guard let codes = place(.codes, matrix), let scales = place(.scales, matrix) else {
                continue
            }
            forms.append(
                GatedExpertForm.Coded(
                    CodedForm(coded.coding, scaleType: table.parts[scales].type), codes: codes,
                    scales: scales, zeros: place(.zeros, matrix), bias: place(.bias, matrix)))
        }
        let repeated = wanted.enumerated().compactMap { place, part in
            Self.bytes(
                of: part.content, shapes[part.matrix], coded.coding, table.parts[place].type
            ).map {
                GatedExpertForm.Repeated(
                    part: place, bytes: $0, name: "layer \(layer): \(part.name)")
            }
        }
        let biases = Set(forms.compactMap { $0.bias.map { table.parts[$0].type } })
        guard biases.count <= 1 else {
            throw CambiumError(
                .badTensor,
                "an expert of layer \(layer) is \(table.parts); its biases have one type")
        }
        return GatedExpertForm(
            kind: sizes.kind, width: hidden, intermediateSize: inner, type: biases.first ?? .f32,
            coded: forms, repeated: repeated, parts: table.parts,
            activation: description.activation)
    }

    /// What a tensor that only repeats what a matrix is has to be; nil for others.
    private static func bytes(
        of content: CodedWeights.ExpertPart.Content, _ matrix: (rows: Int, columns: Int),
        _ coding: WeightCoding, _ type: ElementType
    ) -> [UInt8]? {
        let numbers: [Int]
        switch content {
        case .groups:
            let size = coding.scaleColumns ?? max(matrix.columns, 1)
            numbers = (0..<matrix.columns).map { $0 / size }
        case .shape: numbers = [matrix.rows, matrix.columns]
        case .codes, .scales, .zeros, .bias: return nil
        }
        return numbers.flatMap { number in
            (0..<type.bitWidth / 8).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
        }
    }

    /// Gate, up and down as an expert's tensors are named.
    private func matrices(of names: [String]) -> [String] {
        ExpertNames.triples.first { triple in
            names.contains { name in
                name.split(separator: ".").contains(
                    Substring(ExpertPartNames.stem(triple[0])))
            }
        } ?? ExpertNames.gated
    }

    /// Refuses experts with other tensors than their form has.
    private func check(_ names: [String]?, _ wanted: [String], _ layer: Int) throws {
        guard let names else { return }
        for part in wanted where !names.contains(where: { $0.hasSuffix("." + part) }) {
            if let reason = source.irregularExperts(layer: layer) {
                throw CambiumError(
                    .badTensor,
                    "the experts of layer \(layer) are codes that mean nothing without \(part), and are not alike: "
                        + reason)
            }
            throw CambiumError(
                .missingTensor,
                "the experts of layer \(layer) are codes that mean nothing without \(part), which is missing: they "
                    + "have \(names.joined(separator: ", "))")
        }
        for name in names where !wanted.contains(where: { name.hasSuffix("." + $0) }) {
            throw CambiumError(
                .unusedTensor,
                "the experts of layer \(layer) have \(name), which is no part of what is run "
                    + "(\(wanted.joined(separator: ", "))): without it they would not be the experts that were "
                    + "trained")
        }
    }
}
