import Elements
import NumericSupport
import Routing
import Tensors

/// One router of each kind, small.
enum RouterKinds: String, CaseIterable, Sendable {
    case linear, quantisedLinear, sharedKeys, keysPerHead, quantisedKeys, tree, digits
    case softmaxOfAll, sigmoidOfGroups

    static let width = 24

    func router(_ noise: inout Noise) -> any Router {
        func matrix(_ rows: Int, _ columns: Int) -> Matrix {
            Matrix(rows: rows, columns: columns, values: noise.floats(rows * columns))
        }
        func quantised(_ matrix: Matrix) -> QuantizedMatrix {
            let form = QuantizedMatrix.quantize(matrix)
            let bytes = form.values.map { UInt8(bitPattern: $0) }
            return QuantizedMatrix(
                rows: matrix.rows, columns: matrix.columns, values: bytes.raw,
                scales: form.scales)
        }
        let width = Self.width
        switch self {
        case .linear: return LinearRouter(PackedMatrix(matrix(50, width)), topK: 7)
        case .quantisedLinear: return LinearRouter(quantised(matrix(50, width)), topK: 7)
        case .sharedKeys:
            return ProductKeyRouter(
                query: PackedMatrix(matrix(2 * 12, width)),
                keys: ProductKeys(
                    first: [PackedMatrix(matrix(40, 6))], second: [PackedMatrix(matrix(9, 6))]),
                heads: 2, topK: 5)
        case .keysPerHead:
            let sets = (0..<6).map { _ in PackedMatrix(matrix(17, 4)) }
            return ProductKeyRouter(
                query: PackedMatrix(matrix(3 * 8, width)),
                keys: ProductKeys(first: Array(sets[..<3]), second: Array(sets[3...])), heads: 3,
                topK: 4)
        case .quantisedKeys:
            return ProductKeyRouter(
                query: quantised(matrix(2 * 12, width)),
                keys: ProductKeys(
                    first: [quantised(matrix(33, 6))], second: [quantised(matrix(20, 6))]),
                heads: 2, topK: 5)
        case .softmaxOfAll:
            return LinearRouter(
                PackedMatrix(matrix(50, width)), bias: noise.floats(50), topK: 7,
                scoring: .softmaxOfAll(normalised: true))
        case .sigmoidOfGroups:
            return LinearRouter(
                PackedMatrix(matrix(48, width)), topK: 7,
                scoring: .grouped(
                    GroupedScoring(
                        correction: noise.floats(48), groups: 6, pickedGroups: 2,
                        isNormalised: true, scale: 2.5)))
        case .digits:
            return DigitRouter(
                DigitReadOuts(
                    heads: 3, counts: (17, 9), width: width, weights: noise.floats(78 * width),
                    biases: noise.floats(78)), topK: 4)
        case .tree:
            return TreeRouter(
                keys: [matrix(4, width), matrix(20, width), matrix(60, width)],
                branching: [4, 5, 3], beam: 3, topK: 4)
        }
    }
}
