internal import Elements
package import Evidence
internal import Objects
internal import Routing

extension SolvedRouter {
    /// Writes the router as a safetensors file, in the words of the façade's `ExpertRouter.save`; a file that is
    /// there is replaced.
    package func save(to path: String) throws {
        var tensors: [(entry: TensorEntry, values: [Float])] = []
        for tensor in solution.saved {
            tensors.append(
                (TensorEntry(tensor.name, TensorShape(.f32, tensor.shape)), tensor.values))
        }
        let solution = solution
        let metadata = HeaderMetadata(
            entries: [
                ("id", solution.id.hex), ("layer", String(solution.layer)),
                ("form", solution.form.rawValue), ("trunk", solution.trunk.hex),
                ("quantiser", solution.quantiser.hex),
            ].map { HeaderMetadata.Entry(key: $0.0, value: $0.1) })
        let written = tensors
        try SafetensorsWriter.write(written.map(\.entry), metadata: metadata, to: path) {
            (index, sink: inout TensorSink) in
            try sink.append(written[index].values.littleEndianBytes.raw)
        }
    }
}

extension RouterSolution {
    /// The tensors of a file of its own: those of the digits by their names, of a tree level by level.
    fileprivate var saved: [(name: String, shape: [Int], values: [Float])] {
        switch readOuts {
        case .digits(let readOuts):
            return ["high", "low"].enumerated().flatMap { digit, name in
                let (rows, width) = (readOuts.rows(ofDigit: digit), readOuts.width)
                let weights = readOuts.weights[rows.lowerBound * width..<rows.upperBound * width]
                return [
                    ("\(name).weight", [rows.count, width], Array(weights)),
                    ("\(name).bias", [rows.count], Array(readOuts.biases[rows])),
                ]
            }
        case .tree(let readOuts):
            return readOuts.branching.indices.flatMap { level in
                let biases = readOuts.biases[level]
                return [
                    (
                        "level.\(level).weight", [biases.count, readOuts.width],
                        readOuts.keys[level]
                    ),
                    ("level.\(level).bias", [biases.count], biases),
                ]
            }
        }
    }
}
