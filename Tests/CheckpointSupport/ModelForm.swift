import Foundation

/// A tiny model whose tensors are named and shaped as some program writes them, without a family's config.
package struct ModelForm: Sendable, CustomStringConvertible {
    /// A byte of an expert, or of a tensor that is none's.
    package struct Probe: Sendable {
        package let tensor: String
        package let byte: Int
        /// `LAYER/ORDINAL` or `LAYER/POOL/ORDINAL`; nil for a tensor outside.
        package let expert: String?
    }

    package let name: String
    /// Each as `BF16 6 4`.
    package var tensors: [String: String]
    /// By `LAYER` or `LAYER/POOL`, the kind of experts and the ordinals of those that must be found.
    package let pools: [String: (kind: String, experts: [Int])]
    /// What the commit must say.
    package let patterns: [String]
    package let probes: [Probe]

    package var description: String { name }

    /// - Parameters:
    ///   - pools: By place, a kind and ordinals.
    ///   - probes: Tensor, byte and expert.
    init(
        _ name: String, _ tensors: [String: String],
        pools: [String: (String, [Int])] = [:],
        patterns: [String] = [], probes: [(String, Int, String?)] = []
    ) {
        self.name = name
        self.tensors = tensors.merging([
            "lm_head.weight": "BF16 16 4", "model.norm.weight": "BF16 4",
        ]) {
            $1
        }
        self.pools = pools.mapValues { (kind: $0.0, experts: $0.1) }
        self.patterns = patterns
        self.probes = probes.map { Probe(tensor: $0.0, byte: $0.1, expert: $0.2) }
    }

    /// Tensors of experts that have their own: `PREFIX` + part, `{l}` and `{e}` replaced.
    static func separate(
        _ prefix: String, layers: [Int], experts: some Sequence<Int>, _ parts: [String: String],
        beside: [String: String] = [:]
    ) -> [String: String] {
        var tensors: [String: String] = [:]
        for layer in layers {
            func put(_ name: String, _ shape: String) {
                tensors[name.replacing("{l}", with: "\(layer)")] = shape
            }
            for (name, shape) in beside { put(name, shape) }
            for expert in experts {
                for (part, shape) in parts {
                    put((prefix + part).replacing("{e}", with: "\(expert)"), shape)
                }
            }
        }
        return tensors
    }

    /// Tensors of each layer.
    static func layers(_ layers: [Int], _ prefix: String, _ parts: [String: String]) -> [String:
        String]
    {
        separate(prefix, layers: layers, experts: [0], parts)
    }

    private static let bits = [
        "BF16": 16, "F16": 16, "F32": 32, "I32": 32, "U32": 32, "I64": 64, "U8": 8, "I8": 8,
        "F8_E4M3": 8, "F8_E8M0": 8, "F4": 4, "BOOL": 8,
    ]

    /// Writes `model.safetensors` as Python writes it, with numbers that follow from the names.
    ///
    /// - Parameters:
    ///   - probe: One byte of what the numbers are has another value.
    ///   - config: The text of config.json; nil for none.
    package func write(to folder: String, changing probe: Probe? = nil, config: String? = nil)
        throws
    {
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
        var (entries, data) = ([#""__metadata__":{"format":"pt"}"#], Data())
        func words(_ name: String) -> [Substring] { tensors[name]?.split(separator: " ") ?? [] }
        func width(_ name: String) -> Int {
            words(name).first.flatMap { Self.bits[String($0)] } ?? 0
        }
        let names = tensors.keys.sorted {
            let (left, right) = (width($0), width($1))
            return left == right ? $0.utf8.lexicographicallyPrecedes($1.utf8) : left > right
        }
        for name in names {
            let shape = words(name).dropFirst().compactMap { Int($0) }
            let count = shape.reduce(1, *) * width(name) / 8
            let start = name.utf8.reduce(UInt64(0)) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
            // Below 0x40, so that a float of any width is a finite number.
            var bytes = (0..<UInt64(count)).map {
                UInt8(truncatingIfNeeded: (start &+ $0) &* 0x9E37_79B9_7F4A_7C15 >> 58)
            }
            if let probe, probe.tensor == name { bytes[probe.byte] ^= 1 }
            let quoted = String(
                decoding: try JSONEncoder.plain.encode(name), as: UTF8.self)
            entries.append(
                "\(quoted):{\"dtype\":\"\(words(name)[0])\",\"shape\":[\(shape.map(String.init).joined(separator: ","))],"
                    + "\"data_offsets\":[\(data.count),\(data.count + count)]}")
            data.append(contentsOf: bytes)
        }
        var header = Data("{\(entries.joined(separator: ","))}".utf8)
        header += Data(repeating: 0x20, count: -header.count & 7)
        let length = (0..<8).map { UInt8(truncatingIfNeeded: header.count >> (8 * $0)) }
        try (Data(length) + header + data).write(
            to: URL(filePath: folder + "/model.safetensors"))
        if let config { try Data(config.utf8).write(to: URL(filePath: folder + "/config.json")) }
    }

    /// The bytes of a tensor.
    package func byteCount(_ name: String) -> Int {
        let words = tensors[name]?.split(separator: " ") ?? []
        return words.dropFirst().reduce(Self.bits[String(words.first ?? "")] ?? 0) {
            $0 * (Int($1) ?? 0)
        } / 8
    }
}

extension JSONEncoder {
    fileprivate static var plain: JSONEncoder {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .withoutEscapingSlashes
        return encoder
    }
}
