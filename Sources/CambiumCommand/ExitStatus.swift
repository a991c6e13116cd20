internal import ArgumentParser
internal import Cambium

/// What the process says to the shell when it ends.
enum ExitStatus: Int32, CaseIterable {
    case success = 0
    case failure = 1
    case notFound = 2
    case conflict = 3
    case corrupt = 4
    case branchMoved = 5
    case remote = 6
    case usage = 64
    case interrupted = 130

    /// The status for an error's code.
    init(_ code: CambiumError.Code) {
        switch code {
        case .notFound, .notAStore: self = .notFound
        case .conflict: self = .conflict
        case .corrupt: self = .corrupt
        case .branchMoved: self = .branchMoved
        case .network, .denied, .remote: self = .remote
        case .cancelled: self = .interrupted
        case .usage, .badName, .badRevision, .ambiguous: self = .usage
        default: self = .failure
        }
    }

    /// When it is given, in one line.
    var meaning: String {
        switch self {
        case .success: "done"
        case .failure: "an error; a bad checkpoint; `diff --exit-code` found a difference"
        case .notFound: "no such store, revision, branch, tag, file or expert"
        case .conflict: "a merge or revert found conflicts; nothing was written"
        case .corrupt: "the store is damaged; `verify` found faults"
        case .branchMoved: "the branch moved meanwhile; look, and try again"
        case .remote: "a remote store or the network failed"
        case .interrupted: "interrupted (Ctrl-C), as a shell reports it"
        case .usage: "the command line makes no sense; a bad or ambiguous revision or name"
        }
    }

    /// The table of all statuses.
    static var table: [String] {
        var table = TextTable([.right, .left])
        for status in allCases {
            table.add(["\(status.rawValue)", status.meaning])
        }
        return table.lines(indent: 2)
    }
}

/// Ends a command whose report says all there is to say.
struct Ended: Error {
    /// The exit status.
    let status: Int32

    init(status: ExitStatus) { self.status = status.rawValue }

    /// Ends with the status of a program that the command ran.
    init(program status: Int32) { self.status = status }
}
