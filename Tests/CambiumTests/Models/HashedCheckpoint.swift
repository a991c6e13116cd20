import CheckpointSupport
import Elements
import Foundation
import Models
import Tensors

@testable import Cambium

/// The generated checkpoint without neurons and with hashed rows in front of a layer, in any form.
struct HashedCheckpoint {
    static let hidden = 32
    static let tensor = "model.layers.0.hash.rows"

    private(set) var raw: RawCheckpoint
    let orders: [Int]
    let size: Int
    /// [orders · size, hidden], in floats.
    private(set) var rows: [Float]

    /// - Parameter orders: Of one byte alone, 256 rows of the text's last byte.
    init(orders: [Int] = [2, 3, 5], size: Int = 64, rows: [Float]? = nil) throws {
        raw = try RawCheckpoint(GeneratedCheckpoints.path("peer-lm/base"))
        raw.tensors.removeAll { $0.name.contains(".peer") }
        (self.orders, self.size) = (orders, size)
        self.rows = rows ?? Self.rows(orders.count * size, named: "rows")
        var config = try Self.config(raw)
        config["peer_layers"] = [Int]()
        config["peer"] = nil
        config["hash"] = ["layers": [0], "orders": orders, "table_size": size]
        raw.files["config.json"] = try JSONSerialization.data(
            withJSONObject: config, options: .sortedKeys)
        put()
    }

    /// Numbers for some rows, of which every fifth is zeros.
    static func rows(_ count: Int, named name: String) -> [Float] {
        var values = GeneratedTensor(name, [count, hidden], scale: 0.5).values
        for row in stride(from: 0, to: count, by: 5) {
            for index in row * hidden..<(row + 1) * hidden { values[index] = 0 }
        }
        return values
    }

    private static func config(_ raw: RawCheckpoint) throws -> [String: Any] {
        let json = raw.files["config.json"].map { try? JSONSerialization.jsonObject(with: $0) }
        return (json ?? nil) as? [String: Any] ?? [:]
    }

    /// Commits it, written to a folder of its name.
    func commit(
        _ name: String, to store: Store, branch: String = "main", in directory: String
    ) throws {
        try store.commit(
            checkpoint: raw.write(to: directory + "/" + name, shards: 1, seed: nil),
            Checkpoints.options(name, branch: branch))
    }

    /// Sets all elements of a row.
    mutating func set(_ row: Int, to value: Float) {
        for index in row * Self.hidden..<(row + 1) * Self.hidden { rows[index] = value }
        put()
    }

    private mutating func put() {
        put(
            RawCheckpoint.Tensor(
                name: Self.tensor, type: "F32", shape: [rows.count / Self.hidden, Self.hidden],
                data: rows.littleEndianBytes))
    }

    mutating func put(_ tensor: RawCheckpoint.Tensor) {
        raw.tensors.removeAll { $0.name == tensor.name }
        raw.tensors.append(tensor)
        // As the format's own writer orders them.
        raw.tensors.sort { (one, other) in
            let sizes = (one.type == "F32" ? 4 : 1, other.type == "F32" ? 4 : 1)
            return sizes.0 == sizes.1
                ? one.name.utf8.lexicographicallyPrecedes(other.name.utf8) : sizes.0 > sizes.1
        }
    }

    /// Rows of codes instead.
    mutating func quantise(_ bits: Int) throws {
        guard let form = RowForm.codes(bits, width: Self.hidden) else { return }
        let count = rows.count / Self.hidden
        let all = (0..<count).map { row in
            let range = row * Self.hidden..<(row + 1) * Self.hidden
            return form.quantised(rows.span.extracting(range))
        }
        let width = Self.hidden * bits / 8
        put(
            RawCheckpoint.Tensor(
                name: Self.tensor, type: form.parts[0].type.name, shape: [count, width],
                data: all.flatMap { $0[..<width] }))
        put(
            RawCheckpoint.Tensor(
                name: Self.tensor + ".scale", type: "F32", shape: [count],
                data: all.flatMap { $0[width...] }))
    }

    /// Adds rows to embeddings, as a model of one byte's rows does.
    mutating func embed(_ rows: [Float], of row: (UInt8) -> Int) {
        guard let old = raw.tensors.first(where: { $0.name == "model.embed_tokens.weight" }) else {
            return
        }
        var values = old.data.floats
        for byte in 0..<256 {
            for index in 0..<Self.hidden {
                values[byte * Self.hidden + index] +=
                    rows[row(UInt8(byte)) * Self.hidden + index]
            }
        }
        put(
            RawCheckpoint.Tensor(
                name: old.name, type: old.type, shape: old.shape, data: values.littleEndianBytes))
    }

    /// Adds an adapter with rows of its own.
    ///
    /// - Parameter base: The digest of what it was made for; empty when that is not known.
    mutating func addAdapter(_ name: String, rows: [Float], base: String = "") {
        let description = AdapterDescription(
            kind: .dense, usesExperts: false, rows: [0], base: base
        ).encoded
        let prefix = "cohorts.\(name)."
        put(
            .init(
                name: prefix + "cohort", type: "U8", shape: [description.count], data: description))
        put(
            .init(
                name: prefix + Self.tensor, type: "F32",
                shape: [rows.count / Self.hidden, Self.hidden],
                data: rows.littleEndianBytes))
    }

    /// Without rows.
    mutating func dropRows() throws {
        raw.tensors.removeAll { $0.name.hasPrefix(Self.tensor) }
        var config = try Self.config(raw)
        config["hash"] = nil
        raw.files["config.json"] = try JSONSerialization.data(
            withJSONObject: config, options: .sortedKeys)
    }
}

extension [UInt8] {
    /// Little-endian numbers.
    var floats: [Float] {
        stride(from: 0, to: count, by: 4).map { start in
            Float(
                bitPattern: (0..<4).reduce(0) { $0 | UInt32(self[start + $1]) << UInt32(8 * $1) })
        }
    }
}
