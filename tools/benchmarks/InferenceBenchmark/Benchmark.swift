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

/// What a line of output says: figures by name.
typealias Figures = [String: Double]

/// Answers the lines of standard input until it ends.
///
/// - Parameter answer: Takes the words of a line.
func answer(_ ready: Figures, _ answer: ([String]) throws -> Figures) throws {
    do {
        try say(ready)
        while let line = readLine() { try say(answer(line.split(separator: " ").map(String.init))) }
    } catch let failure as Failure {
        FileHandle.standardError.write(Data("wrong answer: \(failure)\n".utf8))
        throw ExitCode.failure
    }
}

/// The whole number at a position of a command.
func number(_ words: [String], _ index: Int) throws -> Int {
    guard words.indices.contains(index), let value = Int(words[index]) else {
        throw Failure("'\(words.joined(separator: " "))' lacks number \(index)")
    }
    return value
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
