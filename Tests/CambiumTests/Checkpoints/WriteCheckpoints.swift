import CheckpointSupport
import Foundation
import Testing

/// Writes the generated checkpoints to a folder, for `tools/golden/logits.py`:
/// `CAMBIUM_WRITE_CHECKPOINTS=FOLDER tools/test --filter WriteCheckpoints`.
struct WriteCheckpoints {
    private static let folder = ProcessInfo.processInfo.environment["CAMBIUM_WRITE_CHECKPOINTS"]

    @Test(
        "the generated checkpoints are written out",
        .enabled(if: folder != nil, "asked for by CAMBIUM_WRITE_CHECKPOINTS"))
    func write() throws {
        let folder = try #require(Self.folder)
        for name in GeneratedCheckpoints.all {
            let target = URL(filePath: folder).appending(path: name)
            try FileManager.default.createDirectory(
                at: target.deletingLastPathComponent(), withIntermediateDirectories: true)
            try FileManager.default.copyItem(
                at: URL(filePath: GeneratedCheckpoints.path(name)), to: target)
            #expect(FileManager.default.fileExists(atPath: target.path + "/config.json"))
        }
    }
}
