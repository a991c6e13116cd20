internal import Elements
package import Evidence
internal import Objects
internal import Routing

extension SolvedRouter {
    /// Writes the router as a safetensors file, in the words of the façade's `ExpertRouter.save`; a file that is
    /// there is replaced.
    package func save(to path: String) throws {
        var tensors: [(entry: TensorEntry, values: [Float])] = []
        for (digit, name) in ["high", "low"].enumerated() {
            let (weights, biases) = router.dense(digit: digit)
            let shape = [biases.count, weights.count / biases.count]
            tensors.append((TensorEntry(name + ".weight", TensorShape(.f32, shape)), weights))
            tensors.append((TensorEntry(name + ".bias", TensorShape(.f32, [biases.count])), biases))
        }
        let metadata = HeaderMetadata(
            entries: [
                ("id", id.hex), ("layer", String(layer)), ("form", form.rawValue),
                ("trunk", trunk.hex), ("quantiser", quantiser.hex),
            ].map { HeaderMetadata.Entry(key: $0.0, value: $0.1) })
        let written = tensors
        try SafetensorsWriter.write(written.map(\.entry), metadata: metadata, to: path) {
            (index, sink: inout TensorSink) in
            try sink.append(written[index].values.littleEndianBytes.raw)
        }
    }
}
