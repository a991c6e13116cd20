import Architectures
import Elements
import Foundation
import Models
import Testing

/// A checkpoint folder read into memory, for tests: trusting, unlike the real reader.
final class Checkpoint: WeightSource {
    private let file: HeapBytes
    private let tensors: [String: (shape: TensorShape, range: Range<Int>)]
    let config: PeerConfig

    init(_ folder: URL) throws {
        let data = try Data(contentsOf: folder.appending(path: "model.safetensors"))
        file = HeapBytes([UInt8](data))
        let headerSize = file.mapped.bytes.number(at: 0, as: Int.self)
        let header = try #require(
            JSONSerialization.jsonObject(with: data[8..<8 + headerSize]) as? [String: Any])
        var tensors: [String: (TensorShape, Range<Int>)] = [:]
        for (name, value) in header where name != "__metadata__" {
            let entry = try #require(value as? [String: Any])
            let dtypeName = try #require(entry["dtype"] as? String)
            let dtype = try #require(ElementType(name: dtypeName))
            let offsets = try #require(entry["data_offsets"] as? [Int])
            let start = 8 + headerSize
            tensors[name] = (
                TensorShape(dtype, try #require(entry["shape"] as? [Int])),
                start + offsets[0]..<start + offsets[1]
            )
        }
        self.tensors = tensors
        config = try PeerConfig(
            json: [UInt8](Data(contentsOf: folder.appending(path: "config.json"))))
    }

    func tensor(_ name: String) throws -> Weights {
        guard let entry = tensors[name] else {
            throw CambiumError(.missingTensor, "tensor \(name) is missing")
        }
        return Weights(shape: entry.shape, bytes: file.mapped.slice(entry.range))
    }

    func experts(layer: Int) throws -> any ExpertTable {
        let down = try tensor("model.layers.\(layer).peer.down.weight")
        let up = try tensor("model.layers.\(layer).peer.up.weight")
        let row = down.bytes.count / down.shape.dimensions[0]
        var experts: [UInt8] = []
        experts.reserveCapacity(2 * down.bytes.count)
        for expert in 0..<down.shape.dimensions[0] {
            experts += down.bytes.bytes.copy(expert * row..<(expert + 1) * row)
            experts += up.bytes.bytes.copy(expert * row..<(expert + 1) * row)
        }
        return MemoryExperts(
            experts, shape: TensorShape(down.shape.type, [2, down.shape.dimensions[1]]))
    }
}
