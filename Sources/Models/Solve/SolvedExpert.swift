internal import Elements
internal import Tensors

/// The matrices of a gated expert as two regressions have them: inputs by outputs, a bias as one more input.
struct SolvedExpert {
    private let form: GatedExpertForm
    /// [inputs, 2 intermediateSize].
    var gateUp: [Double]
    /// [middles, width].
    var down: [Double]

    /// Inputs of gate and up, and of down.
    static func sizes(_ form: GatedExpertForm) -> (inputs: Int, middles: Int) {
        form.hasBiases
            ? (form.width + 1, form.intermediateSize + 1) : (form.width, form.intermediateSize)
    }

    /// - Throws: `.badTensor` for bytes of another size.
    init(_ bytes: [UInt8], _ form: GatedExpertForm) throws {
        self.form = form
        guard let values = FloatCode.decode(bytes, form.parts) else {
            throw CambiumError(.badTensor, "\(bytes.count) bytes for an expert of \(form.parts)")
        }
        let (width, inner) = (form.width, form.intermediateSize)
        switch form.kind {
        case .rows:
            gateUp = Self.transposed(values[..<(2 * inner * width)], 2 * inner, width)
            down = Self.transposed(values[(2 * inner * width)...], width, inner)
        case .columns:
            let first = (width + 1) * 2 * inner
            gateUp = Array(values[..<first])
            down = Array(values[first...])
        }
    }

    /// As it is stored, each element rounded once.
    var bytes: [UInt8] {
        let (width, inner) = (form.width, form.intermediateSize)
        let values =
            switch form.kind {
            case .rows:
                Self.transposed(gateUp[...], width, 2 * inner)
                    + Self.transposed(down[...], inner, width)
            case .columns: gateUp + down
            }
        return FloatCode.encode(values, form.parts) ?? []
    }

    private static func transposed(
        _ values: ArraySlice<Double>, _ rows: Int, _ columns: Int
    ) -> [Double] {
        var result = [Double](repeating: 0, count: values.count)
        for row in 0..<rows {
            for column in 0..<columns {
                result[column * rows + row] = values[values.startIndex + row * columns + column]
            }
        }
        return result
    }
}

extension GatedExpertForm {
    /// Whether both steps add biases.
    var hasBiases: Bool { if case .columns = kind { true } else { false } }
}
