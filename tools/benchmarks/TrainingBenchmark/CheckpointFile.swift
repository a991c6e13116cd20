internal import Architectures
internal import BenchmarkSupport
internal import Checkpoints
internal import Elements
internal import Foundation
internal import Models
internal import Training

/// Weights in safetensors, as arrays.
enum CheckpointFile {
    /// The F32 tensors of a file.
    private static func tensors(_ path: String) throws -> [String: [Float]] {
        let file = try SafetensorsFile(opening: path)
        var tensors: [String: [Float]] = [:]
        for (index, tensor) in file.header.tensors.enumerated()
        where tensor.shape.type == .f32 {
            tensors[tensor.name] = unsafe file.bytes(of: index).withUnsafeBytes { bytes in
                (0..<bytes.count / 4).map {
                    unsafe bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self)
                }
            }
        }
        return tensors
    }

    /// The model in a folder with config.json and model.safetensors.
    static func model(_ folder: String) throws -> TrainableModel {
        let json = try Data(contentsOf: URL(filePath: "\(folder)/config.json"))
        let tensors = try tensors("\(folder)/model.safetensors")
        return try TrainableModel(config: PeerConfig(json: Array(json))) { tensors[$0] }
    }
}
