import CheckpointSupport
import Checkpoints
import Elements
import Foundation
import Testing

/// A new directory that is removed with its content when the value is released.
final class ScratchFolder: Sendable {
    let path: String

    init() {
        path = FileManager.default.temporaryDirectory.path + "/interchange-\(UUID().uuidString)"
        try? FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// Writes a file and returns its path.
    @discardableResult
    func write(_ name: String, _ content: some Sequence<UInt8>) throws -> String {
        try Data(content).write(to: URL(filePath: "\(path)/\(name)"))
        return "\(path)/\(name)"
    }

    var entries: [String] {
        get throws { try FileManager.default.contentsOfDirectory(atPath: path).sorted() }
    }
}

func contents(_ path: String) throws -> [UInt8] {
    try [UInt8](Data(contentsOf: URL(filePath: path)))
}

/// Checkpoints of every architecture and form, made here.
enum Fixtures {
    static let families = GeneratedCheckpoints.families
    static let separateFamilies = families.filter { !["gpt_oss", "gemma4"].contains($0) }
    /// Names for ``path(_:)``.
    static let folders = GeneratedCheckpoints.all

    static func path(_ name: String) -> String { GeneratedCheckpoints.path(name) }
}

/// A safetensors file made of a header's text and data, its length stated truly.
func safetensors(_ header: String, data: [UInt8] = []) -> [UInt8] {
    let json = Array(header.utf8)
    return littleEndian(json.count) + json + data
}

/// A header's length as it begins a file.
func littleEndian(_ length: Int) -> [UInt8] {
    (0..<8).map { UInt8(truncatingIfNeeded: length >> ($0 * 8)) }
}

/// One member of a header.
func member(
    _ name: String = "a", _ type: String = "U8", _ shape: String = "[2]",
    _ offsets: String = "[0,2]"
) -> String {
    "\"\(name)\":{\"dtype\":\"\(type)\",\"shape\":\(shape),\"data_offsets\":\(offsets)}"
}

/// Decodes a whole file held in memory, as `SafetensorsFile` does one on disk.
func open(_ file: [UInt8]) throws -> SafetensorsFile {
    let folder = ScratchFolder()
    return try SafetensorsFile(opening: try folder.write("x.safetensors", file))
}

/// Writes tensors whose bytes are given.
func write(
    _ tensors: [(entry: TensorEntry, bytes: [UInt8])], metadata: HeaderMetadata? = nil,
    to path: String
) throws {
    try SafetensorsWriter.write(tensors.map(\.entry), metadata: metadata, to: path) {
        (tensor, sink: inout TensorSink) in
        let bytes = tensors[tensor].bytes
        try sink.append(bytes.raw)
    }
}

/// A tensor with bytes that differ from place to place.
func tensor(
    _ name: String, _ type: ElementType, _ dimensions: [Int], seed: UInt8 = 0
) -> (entry: TensorEntry, bytes: [UInt8]) {
    let shape = TensorShape(type, dimensions)
    let bytes = (0..<(shape.byteCount ?? 0)).map { UInt8(truncatingIfNeeded: $0 * 7) &+ seed }
    return (TensorEntry(name, shape), bytes)
}

/// Random numbers that a seed repeats (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
