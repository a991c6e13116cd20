internal import FoundationEssentials

/// What a round left in its folder for results.
struct RoundOutput {
    private let folder: String
    private let names: [String]

    /// The one file that is no checkpoint, but what changed.
    private static let patchName = "patch.safetensors"

    /// - Parameter folder: One that is not there has nothing.
    init(_ folder: String) throws {
        self.folder = folder
        names =
            FileManager.default.fileExists(atPath: folder)
            ? try FileManager.default.contentsOfDirectory(atPath: folder) : []
    }

    var isEmpty: Bool { names.isEmpty }

    var hasPatch: Bool { names == [Self.patchName] }

    var patch: String { "\(folder)/\(Self.patchName)" }
}
