import Remotes
import TestSupport
import Testing

/// The kinds of remotes that the conformance suite runs on, as far as they are there.
enum Place: String, CaseIterable, CustomTestStringConvertible {
    case memory, file

    static let available: [Place] = allCases

    var testDescription: String { rawValue }

    /// Runs `body` with a new, empty remote.
    func with<Result>(_ body: (any Transport) throws -> Result) throws -> Result {
        switch self {
        case .memory: try body(MemoryTransport())
        case .file: try withScratchDirectory { try body(FileRemote($0 + "/remote")) }
        }
    }
}
