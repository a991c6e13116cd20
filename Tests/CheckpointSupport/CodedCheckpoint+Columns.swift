import Foundation

/// Codes with zero points, by columns.
extension CodedCheckpoint {
    /// The tensors of a matrix [outputs, inputs], as AutoAWQ and GPTQModel write them.
    func byColumns(_ tensor: GeneratedTensor, _ module: String) -> [CheckpointFile.Entry] {
        let (outputs, inputs) = (tensor.shape[0], tensor.shape[1])
        let groups = (inputs + group - 1) / group
        var codes = [UInt32](repeating: 0, count: inputs * outputs)
        var zeros = [UInt32](repeating: 0, count: groups * outputs)
        var scales = [UInt16](repeating: 0, count: groups * outputs)
        for part in 0..<groups {
            let range = part * group..<min((part + 1) * group, inputs)
            for output in 0..<outputs {
                let values = range.map { tensor.values[output * inputs + $0] }
                let (least, most) = (min(0, values.min() ?? 0), max(0, values.max() ?? 0))
                let half = Float16((most - least) / 15)
                let zero = max(1, min(15, (-least / Float(half)).rounded()))
                scales[part * outputs + output] = half.bitPattern
                zeros[part * outputs + output] = UInt32(zero)
                for (input, value) in zip(range, values) {
                    let code = (value / Float(half)).rounded() + zero
                    codes[input * outputs + output] = UInt32(max(0, min(15, code)))
                }
            }
        }
        var entries = [
            CheckpointFile.Entry(
                "\(module).scales", "F16", [groups, outputs], CheckpointFile.bytes(scales)),
            CheckpointFile.Entry(
                "\(module).qzeros", "I32", [groups, outputs / 8],
                CheckpointFile.bytes(
                    words(self == .gptq ? zeros.map { $0 - 1 } : zeros, isInterleaved: self == .awq)
                )),
        ]
        if self == .awq {
            entries.append(
                CheckpointFile.Entry(
                    "\(module).qweight", "I32", [inputs, outputs / 8],
                    CheckpointFile.bytes(words(codes, isInterleaved: true))))
        } else {
            var columns = [UInt32](repeating: 0, count: inputs / 8 * outputs)
            for index in codes.indices {
                let (input, output) = (index / outputs, index % outputs)
                columns[input / 8 * outputs + output] |= codes[index] << UInt32(4 * (input % 8))
            }
            entries.append(
                CheckpointFile.Entry(
                    "\(module).qweight", "I32", [inputs / 8, outputs],
                    CheckpointFile.bytes(columns)))
            entries.append(
                CheckpointFile.Entry(
                    "\(module).g_idx", "I32", [inputs],
                    CheckpointFile.bytes((0..<inputs).map { UInt32($0 / group) })))
        }
        return entries
    }

    /// Eight codes to a word: one after the other, or first the even and then the odd ones.
    private func words(_ codes: [UInt32], isInterleaved: Bool) -> [UInt32] {
        let order = isInterleaved ? [0, 2, 4, 6, 1, 3, 5, 7] : Array(0..<8)
        return stride(from: 0, to: codes.count, by: 8).map { start in
            order.enumerated().reduce(0) { $0 | codes[start + $1.element] << UInt32(4 * $1.offset) }
        }
    }
}
