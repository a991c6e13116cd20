import Foundation
import Synchronization

/// Small checkpoints of every architecture and form, made when they are first asked for, so that tests need
/// nothing beside the repository.
///
/// `hf/FAMILY/model`, `…/model_fused` and `…/model_bf16` as transformers would write them, `peer-lm/base`,
/// `peer-lm/branch-swahili`, `peer-lm/branch-metamath`, and `peer-lm/hashed` with hashed rows; `coded/FORM` with
/// weights that are codes and scales (``CodedCheckpoint``). A form with `_blocks` behind it has experts of whole
/// blocks of 32, one with `_wide` experts of some 400 kB.
package enum GeneratedCheckpoints {
    package static let families = TransformersFamily.allCases.map(\.rawValue)
    package static let forms = ["model", "model_fused", "model_bf16"]
    package static let coded = CodedCheckpoint.allCases.map(\.rawValue)
    package static let peers = ["base", "branch-swahili", "branch-metamath", "hashed"]

    /// Every folder.
    package static let all =
        peers.map { "peer-lm/\($0)" }
        + families.flatMap { family in forms.map { "hf/\(family)/\($0)" } }
        + coded.map { "coded/\($0)" }

    private static let made = Mutex<Set<String>>([])
    private static let root: URL = {
        let root = FileManager.default.temporaryDirectory
            .appending(path: "cambium-checkpoints-\(ProcessInfo.processInfo.processIdentifier)")
        atexit { GeneratedCheckpoints.remove() }
        return root
    }()

    private static func remove() { try? FileManager.default.removeItem(at: root) }

    /// The absolute path of one of ``all``; nobody may write there.
    package static func path(_ name: String) -> String {
        let folder = root.appending(path: name)
        made.withLock { made in
            guard made.insert(name).inserted else { return }
            do {
                try write(name, to: folder)
            } catch {
                preconditionFailure("cannot write the checkpoint \(folder.path): \(error)")
            }
        }
        return folder.path
    }

    /// The experts that a fine-tune of peer-lm changed, by layer.
    package static func selected(_ branch: String) -> [Int: [Int]] {
        var found: [Int: [Int]] = [:]
        for layer in PeerFamily.layers {
            found[layer] = PeerFamily.selected(branch, layer: layer)
        }
        return found
    }

    private static func write(_ name: String, to folder: URL) throws {
        let parts = name.split(separator: "/").map(String.init)
        if parts[0] == "peer-lm" {
            if parts[1] == "hashed" {
                try CheckpointFile.write(
                    PeerFamily.hashed, bf16: false,
                    files: ["config.json": PeerFamily.hashedConfig], to: folder)
                return
            }
            let branch = parts[1].split(separator: "-").dropFirst().first.map(String.init)
            try CheckpointFile.write(
                branch.map(PeerFamily.fineTune) ?? PeerFamily.base, bf16: false,
                files: ["config.json": PeerFamily.config], to: folder)
            return
        }
        if parts[0] == "coded", let form = CodedCheckpoint(rawValue: parts[1]) {
            return try CheckpointFile.write(
                form.tensors,
                files: [
                    "config.json": form.config,
                    "generation_config.json": ["bos_token_id": 1, "eos_token_id": 2],
                ], to: folder)
        }
        guard parts.count == 3, let family = TransformersFamily(rawValue: parts[1]) else {
            preconditionFailure("no generated checkpoint is named \(name)")
        }
        let bf16 = parts[2].hasPrefix("model_bf16")
        let width = parts[2].hasSuffix("_blocks") ? 64 : parts[2].hasSuffix("_wide") ? 512 : nil
        try TransformersFamily.$givenWidth.withValue(width) {
            try CheckpointFile.write(
                family.tensors(fused: parts[2].hasPrefix("model_fused")), bf16: bf16,
                files: [
                    "config.json": family.config(bf16: bf16),
                    "generation_config.json": ["bos_token_id": 1, "eos_token_id": 2],
                ], to: folder)
        }
    }
}
