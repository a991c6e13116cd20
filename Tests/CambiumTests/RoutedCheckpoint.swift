import Foundation
import Routing
import TestSupport

@testable import Cambium

/// A small peer-lm checkpoint with two layers of 16 neurons below a router of a kind.
enum RoutedCheckpoint: String, CaseIterable, Sendable {
    /// Of two heads.
    case productKeys
    case tree

    static let width = 8

    /// Writes the folder and returns its path.
    func write(to path: String, changing change: (inout TinyCheckpoint) -> Void = { _ in }) throws
        -> String
    {
        var checkpoint = TinyCheckpoint()
        checkpoint.tensors = []
        var generator = SeededGenerator(seed: 3)
        func add(_ name: String, _ shape: Int..., scale: Float = 1) {
            let count = shape.reduce(1, *)
            checkpoint.tensors.append(
                (
                    name, shape,
                    (0..<count).map { _ in scale * .random(in: -1...1, using: &generator) }
                ))
        }
        let width = Self.width
        add("model.embed_tokens.weight", 256, width)
        for layer in 0..<2 {
            let block = "model.layers.\(layer)."
            add(block + "input_layernorm.weight", width)
            for name in ["q", "k", "v", "o"] {
                add("\(block)self_attn.\(name)_proj.weight", width, width)
            }
            add(block + "post_attention_layernorm.weight", width)
            for name in ["gate", "up", "down"] {
                add("\(block)mlp.\(name)_proj.weight", width, width)
            }
            add(block + "peer_layernorm.weight", width)
            switch self {
            case .productKeys:
                add(block + "peer.query.weight", 16, width)
                add(block + "peer.sub_keys", 2, 4, 4)
            case .tree:
                add(block + "peer.tree.0", 4, width)
                add(block + "peer.tree.1", 16, width)
            }
            add(block + "peer.down.weight", 16, width, scale: 2)
            add(block + "peer.up.weight", 16, width, scale: 2)
        }
        add("model.norm.weight", width)
        add("lm_head.weight", 256, width)
        checkpoint.config["num_layers"] = 2
        checkpoint.config["peer_layers"] = [0, 1]
        switch self {
        case .productKeys:
            checkpoint.config["peer"] = ["sub_keys": 4, "heads": 2, "top_k": 2, "key_size": 8]
        case .tree:
            checkpoint.config["peer"] = nil
            checkpoint.config["tree"] = ["branching": [4, 4], "beam": 2, "top_k": 2]
        }
        change(&checkpoint)
        return try checkpoint.write(to: path)
    }

    /// A store whose main is the checkpoint.
    func store(in directory: String) throws -> Store {
        try Store.create(at: directory + "/S")
        let store = try Store(directory + "/S")
        _ = try store.commit(
            checkpoint: write(to: directory + "/base"), Checkpoints.options("base"))
        return store
    }

    /// Adds evidence of a layer's picks on some of the texts, a record for each.
    static func add(
        _ texts: [Int], layer: Int = 0, to branch: String = "main", of store: Store,
        assigned: [UInt32]? = nil
    ) throws {
        for text in texts {
            try store.addGramSums(
                [Self.texts[text]], layer: layer, adapter: "base", target: .experts,
                assignments: assigned.map { [Assignments(experts: $0)] },
                Checkpoints.options("picks \(text)", branch: branch))
        }
    }

    /// Texts of several windows of 16 bytes.
    static let texts: [[UInt8]] = [
        "the quick brown fox jumps over the lazy dog and runs away from all of them again",
        "habari ya asubuhi, watoto wanakwenda shule kila siku, na wazazi wao kazini kila",
        "kaixo guztioi, gaur eguraldi ona dago hemen, eta bihar euria egingo du agian bai",
        "to be or not to be that is the question, whether it is nobler in the mind or not",
    ].map { Array($0.utf8) }
}
