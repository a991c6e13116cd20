import Foundation
import Models
import Testing

/// The trained checkpoints and texts beside the repository; tests that need them are disabled when
/// they are absent.
enum Shared {
    private static let root = URL(filePath: #filePath).resolvingSymlinksInPath()
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "shared")
    private static let models = root.appending(path: "checkpoints/peer-lm")

    static let isPresent = FileManager.default.fileExists(
        atPath: models.appending(path: "golden.json").path)

    static let checkpointNames = ["base", "branch-swahili", "branch-metamath"]

    static func checkpoint(_ name: String) throws -> Checkpoint {
        try Checkpoint(models.appending(path: name))
    }

    static func model(_ name: String) throws -> LanguageModel {
        let checkpoint = try checkpoint(name)
        return try LanguageModel(config: checkpoint.config, source: checkpoint)
    }

    static func golden() throws -> Golden {
        let data = try Data(contentsOf: models.appending(path: "golden.json"))
        return try JSONDecoder().decode(Golden.self, from: data)
    }

    /// The test text of a domain.
    static func text(_ domain: String) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: root.appending(path: "data/stream/\(domain)/test.txt")))
    }
}

/// What PyTorch computed: see the checkpoints' README.
struct Golden: Decodable {
    struct Prompt: Decodable {
        let name: String
        let bytes: [UInt8]
    }

    struct Layer: Decodable {
        let ids: [[UInt32]]
        let gates: [[Float]]
        let margin_pick8_vs_9: [Float]
    }

    struct Run: Decodable {
        let prompt: String
        let logits_last4: [[Float]]
        let experts: [String: Layer]
    }

    let prompts: [Prompt]
    let checkpoints: [String: [Run]]
    let bits_per_byte: [String: [String: Double]]
}
