internal import Architectures
internal import ArgumentParser
internal import BenchmarkSupport
internal import Foundation
internal import Models

/// Makes a store with a whole model of one layer over a pool of N neurons.
struct ColdStoreCase: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "cold-store")

    @Option var store: String
    @Option(help: "Sub-keys of a side; the pool has their square.") var subKeys: Int

    func run() throws {
        let (width, inner, size) = (LayerStore.width, 512, 256)
        var tag: UInt64 = 9 << 40
        var tensors: [(name: String, dimensions: [Int], values: [Float])] = []
        func add(_ name: String, _ dimensions: [Int], scale: Float? = nil) {
            tag += 1
            let count = dimensions.reduce(1, *)
            tensors.append(
                (
                    name, dimensions,
                    scale.map { Noise.floats(tag: tag, count: count, scale: $0) }
                        ?? [Float](repeating: 1, count: count)
                ))
        }
        let layer = "model.layers.0"
        add("model.embed_tokens.weight", [256, width], scale: 1)
        add("\(layer).input_layernorm.weight", [width])
        for part in ["q", "k", "v", "o"] {
            add("\(layer).self_attn.\(part)_proj.weight", [width, width], scale: 0.108)
        }
        add("\(layer).post_attention_layernorm.weight", [width])
        add("\(layer).mlp.gate_proj.weight", [inner, width], scale: 0.108)
        add("\(layer).mlp.up_proj.weight", [inner, width], scale: 0.108)
        add("\(layer).mlp.down_proj.weight", [width, inner], scale: 0.076)
        add("\(layer).peer_layernorm.weight", [width])
        add("\(layer).peer.query.weight", [8 * size, width], scale: 0.108)
        add("\(layer).peer.sub_keys", [2, subKeys, size / 2], scale: 0.153)
        add("model.norm.weight", [width])
        add("lm_head.weight", [256, width], scale: 0.108)
        let config = """
            {"architecture": "peer-lm", "vocab_size": 256, "hidden_size": \(width), \
            "num_layers": 1, "num_heads": 4, "context_length": 256, "ffn_size": \(inner), \
            "rms_norm_eps": 1e-5, "rope_theta": 10000, "peer_layers": [0], "peer": \
            {"sub_keys": \(subKeys), "heads": 8, "top_k": 16, "key_size": \(size)}}
            """
        try LayerStore.make(
            store, count: subKeys * subKeys, config: config, tensors: tensors)
        let bytes = tensors.reduce(0) { $0 + $1.values.count * 4 }
        try say(["trunk_bytes": Double(bytes)])
    }
}

/// Opens a model and runs some tokens of it, from an empty page cache: bytes read and seconds.
struct ColdCase: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "cold")

    @Option var store: String
    @Option var tokens: Int
    @Option(help: "Bytes of trunk and router.") var trunkBytes: Double
    @Flag(help: "Leave the page cache as it is.") var warm = false
    @Option(help: "Bytes that the process may have resident.") var limit: Int?

    func run() throws {
        if !warm {
            let facts: Set<URLResourceKey> = [.isRegularFileKey]
            let folder = URL(filePath: store)
            for name in try FileManager.default.subpathsOfDirectory(atPath: store) {
                let file = folder.appending(path: name)
                if try file.resourceValues(forKeys: facts).isRegularFile == true {
                    try evict(file.path)
                }
            }
        }
        let before = try bytesRead()
        let (opening, (model, weights)) = try seconds {
            let (config, weights) = try LayerStore.weights(store, limit: limit)
            let model = try LanguageModel(ModelDescription(config), source: weights)
            if let limit { try weights.release(within: limit) }
            return (model, weights)
        }
        let opened = try bytesRead()
        let session = Session(model)
        var state: UInt64 = 1
        let (running, _) = try seconds {
            var left = tokens
            while left > 0 {
                session.reset()
                let bytes = (0..<min(left, session.room)).map { _ -> Int in
                    state &+= 1
                    return Int(UInt8(truncatingIfNeeded: ExpertData.mix(state)))
                }
                let logits = try session.append(bytes)
                try expect(logits.allSatisfy(\.isFinite), "logits are not finite")
                left -= bytes.count
            }
        }
        let read = try bytesRead() - before
        // The kernel's own mark (proc_pid_status(5)), before anything else runs: no peak escapes it.
        let peak = try memory("VmHWM")
        let used = Double(session.usage.bytesTouched) + trunkBytes
        // With a limit the copies' pages would be counted, not the map's.
        let pages =
            try limit == nil ? trunkBytes + Double(pages(session.usage, weights) * 4096) : 0
        try say([
            "page_bytes": pages, "open_seconds": opening, "run_seconds": running,
            "open_bytes": opened - before,
            "read_bytes": read, "used_bytes": used, "experts": Double(session.usage.touched),
            "peak_bytes": peak, "anonymous_bytes": try memory("RssAnon"),
            "file_bytes": try memory("RssFile"),
        ])
    }

    /// How many pages of 4 KiB the experts lie on that were picked: the least that can be read.
    private func pages(_ usage: ExpertUsage, _ weights: SnapshotWeights) throws -> Int {
        let layer = usage.layers[0]
        let touched = (0..<layer.expertCount).filter { layer.isTouched($0) }.map { UInt32($0) }
        var pages: Set<UInt> = []
        let table = try weights.experts(layer: 0)
        var addresses = ExpertAddresses()
        try table.find(touched.span, &addresses)
        for position in 0..<addresses.count {
            let start = unsafe UInt(bitPattern: addresses[position])
            for page in start / 4096...(start + UInt(table.expertBytes) - 1) / 4096 {
                pages.insert(page)
            }
        }
        return pages.count
    }
}
