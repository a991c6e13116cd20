import Foundation

/// Trained checkpoints beside the repository, with what PyTorch computed of them; the comparisons with them are
/// disabled where they are absent.
enum TrainedCheckpoints {
    private static let shared = URL(filePath: #filePath).resolvingSymlinksInPath()
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "shared")
    private static let root = shared.appending(path: "checkpoints")

    static let arePresent = FileManager.default.fileExists(
        atPath: root.appending(path: "peer-lm/golden.json").path)

    /// The test text of a domain that they were trained on.
    static func text(_ domain: String) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: shared.appending(path: "data/stream/\(domain)/test.txt")))
    }

    static func path(_ relative: String) -> String { root.appending(path: relative).path }
}
