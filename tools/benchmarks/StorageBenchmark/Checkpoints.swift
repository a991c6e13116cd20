internal import BenchmarkSupport
internal import Cambium
internal import Checkpoints
internal import Elements
internal import Foundation

/// Whole checkpoints: import and export.
extension Benchmark {
    /// Writes the pool as a peer-lm checkpoint: down and up rows stacked, as it would be committed.
    private func writeCheckpoint(_ folder: String) throws {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let side = Int(Double(experts).squareRoot().rounded())
        try expect(side * side == experts, "\(experts) experts are no square")
        let prefix = "model.layers.0.peer."
        let half = size / 2
        let tensors = [
            TensorEntry(prefix + "down.weight", TensorShape(.f32, [experts, half / 4])),
            TensorEntry(prefix + "up.weight", TensorShape(.f32, [experts, half / 4])),
            TensorEntry(prefix + "query.weight", TensorShape(.f32, [8, half / 4])),
            TensorEntry(prefix + "sub_keys", TensorShape(.f32, [2, side, 4])),
        ]
        try SafetensorsWriter.write(tensors, to: folder + "/model.safetensors") {
            (position, sink: inout TensorSink) in
            guard position < 2 else {
                let bytes = [UInt8](repeating: 0, count: tensors[position].shape.byteCount ?? 0)
                return try sink.append(bytes.raw)
            }
            for start in stride(from: 0, to: experts, by: 4096) {
                let rows = concurrentMap(min(4096, experts - start), grain: 64) { index in
                    let bytes = ExpertData.bytes(start + index, version: 0, size: size)
                    return Array(bytes[(position * half)..<((position + 1) * half)])
                }
                for row in rows { try sink.append(row.raw) }
            }
        }
        let config = #"{"architecture":"peer-lm","peer_layers":[0],"peer":{"sub_keys":\#(side)}}"#
        try Data(config.utf8).write(to: URL(filePath: folder + "/config.json"))
    }

    private func remove(_ path: String) throws { try FileManager.default.removeItem(atPath: path) }

    /// Adds the seconds of `body`, its peak of memory and what is written.
    private func bulk<Result>(_ found: Measured, _ body: () throws -> Result) throws -> Result {
        let before = try bytesWritten()
        let peak = MemoryPeak()
        let result = try found.time { try body() }
        found.add("peak_anon", peak.stop(), unit: "bytes")
        found.add("write_bytes", try bytesWritten() - before, unit: "bytes")
        return result
    }

    private func commit(_ folder: String, to store: Store) throws -> CommitResult {
        try store.commit(
            checkpoint: folder, CommitOptions(message: "import", signature: Pool.signature))
    }

    func importCheckpoint(_ found: Measured) throws {
        let folder = dir + "/checkpoint"
        try writeCheckpoint(folder)
        defer { try? remove(folder) }
        for _ in 1...rounds {
            try Store.create(at: path)
            defer { try? remove(path) }
            let store = try Store(path)
            let result = try bulk(found) { try commit(folder, to: store) }
            try expect(result.newExperts == experts, "\(result.newExperts) new experts")
            found.add("file_bytes", try bytesOnDisk(path), unit: "bytes")
            try Pool(opening: path, count: experts, size: size).check()
        }
    }

    func exportCheckpoint(_ found: Measured) throws {
        let (folder, out) = (dir + "/checkpoint", dir + "/out")
        try writeCheckpoint(folder)
        defer { try? remove(folder) }
        try Store.create(at: path)
        let store = try Store(path)
        _ = try commit(folder, to: store)
        for _ in 1...rounds {
            defer { try? remove(out) }
            _ = try bulk(found) { try store.export("main", to: out) }
            try expect(
                FileManager.default.contentsEqual(
                    atPath: folder + "/model.safetensors", andPath: out + "/model.safetensors"),
                "the exported file differs from the imported one")
        }
        found.add("file_bytes", Double(experts * size), unit: "bytes")
    }
}
