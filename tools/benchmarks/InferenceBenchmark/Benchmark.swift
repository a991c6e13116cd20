internal import ArgumentParser
internal import BenchmarkSupport
internal import Foundation
internal import Tensors

/// Measures Cambium's inference; `tools/bench inference` runs it beside PyTorch.
///
/// A case makes its data, says so in one line of JSON, then answers each line of standard input by
/// one line of JSON: the names in the input are those of the case's commands. So that a peer can take
/// its rounds in between.
@main
struct Benchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inference-benchmark", abstract: "Answer for one case of the benchmark.",
        subcommands: [
            LayerCase.self, KindCase.self, ProductCase.self, ColdStoreCase.self, ColdCase.self,
            LanguageCase.self,
        ])
}

/// A matrix of noise.
func noise(_ rows: Int, _ columns: Int, tag: UInt64, scale: Float) -> Matrix {
    Matrix(
        rows: rows, columns: columns,
        values: Noise.floats(tag: tag, count: rows * columns, scale: scale))
}

/// As a projection, fp32 or quantised.
func projection(_ matrix: Matrix, int8: Bool) -> any Projection {
    guard int8 else { return PackedMatrix(matrix) }
    let (values, scales) = QuantizedMatrix.quantize(matrix)
    return unsafe QuantizedMatrix(
        rows: matrix.rows, columns: matrix.columns, values: values.span.bytes, scales: scales)
}
