import Foundation
import TestSupport
import Testing

/// What a run of the program said.
struct Run {
    let status: Int32
    /// Whether a signal ended it.
    let wasKilled: Bool
    let output: Data
    let errors: String

    var text: String { String(decoding: output, as: UTF8.self) }
    var lines: [Substring] { text.split(whereSeparator: \.isNewline) }

    /// Standard output as one JSON object.
    var json: [String: Any] {
        get throws { try object(Data(output)) }
    }

    /// The only line of standard error as `error` of a JSON object.
    var errorJSON: [String: Any] {
        get throws {
            let whole = try object(Data(errors.utf8))
            #expect(whole["schema"] as? Int == 1)
            return try #require(whole["error"] as? [String: Any])
        }
    }
}

/// One JSON object.
func object(_ data: Data) throws -> [String: Any] {
    try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
}

/// A directory of its own, in which the built program is run as a user would.
final class Session {
    /// The current directory of all runs.
    let directory: String
    /// Added to the environment; nil removes a variable.
    var environment: [String: String] = [:]

    /// Makes an empty directory, without a store.
    init() throws {
        let url = FileManager.default.temporaryDirectory
            .appendingPathComponent("cambium-command-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        directory = url.path
    }

    deinit { try? FileManager.default.removeItem(atPath: directory) }

    /// A store `S` with a base on main; `CAMBIUM_STORE` names it.
    static func base() throws -> Session {
        let session = try Session()
        try TinyCheckpoint().write(to: session.path("base"))
        session.environment["CAMBIUM_STORE"] = session.path("S")
        try session.expect("init", "S")
        try session.expect("commit", "base", "-m", "base")
        return session
    }

    /// A store `S` with a base on main, and branches left and right that both changed expert 5, and
    /// each another one; `CAMBIUM_STORE` names it.
    static func history() throws -> Session {
        let session = try base()
        try TinyCheckpoint(edits: [3: 1, 5: 1]).write(to: session.path("left"))
        try TinyCheckpoint(edits: [5: 2, 9: 2]).write(to: session.path("right"))
        for name in ["left", "right"] {
            try session.expect("branch", name, "main")
            try session.expect("switch", name)
            try session.expect("commit", name, "-m", "round: \(name)")
        }
        try session.expect("switch", "main")
        return session
    }

    /// The program, which the package manager builds beside the tests.
    static var program: String {
        get throws {
            let tests = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
            let folder = URL(fileURLWithPath: tests).deletingLastPathComponent()
            // `swift test` runs a helper of the toolchain on some systems: look in the bundle then.
            let bundle = Bundle.main.bundleURL.deletingLastPathComponent()
            let places = [folder, bundle].map { $0.appendingPathComponent("cambium").path }
            let found = places.first { FileManager.default.isExecutableFile(atPath: $0) }
            return try #require(found, "build the product `cambium` first")
        }
    }

    /// A path in the directory.
    func path(_ name: String) -> String { "\(directory)/\(name)" }

    /// Writes a file in the directory.
    func write(_ text: String, to name: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: path(name)))
    }

    /// Runs the program and fails unless it ends with status 0.
    @discardableResult
    func expect(
        _ arguments: String..., sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> Run {
        let run = try start(arguments).end()
        #expect(
            run.status == 0, "cambium \(arguments.joined(separator: " ")): \(run.errors)",
            sourceLocation: sourceLocation)
        return run
    }

    /// Runs the program.
    func run(_ arguments: String..., input: String = "") throws -> Run {
        try start(arguments, input: input).end()
    }

    /// Runs lines of shell in which `cambium` is the program, and `$cambium` its path.
    func shell(_ lines: String) throws -> Run {
        let program = try Self.program
        environment["cambium"] = program
        let function = "cambium() { \"$cambium\" \"$@\"; }"
        return try start([], input: "", shell: "\(function)\n\(lines)").end()
    }

    /// Starts the program and does not wait for it.
    func start(_ arguments: [String], input: String = "", shell: String? = nil) throws -> Job {
        let base = [
            "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "COLUMNS": "80", "CAMBIUM_AUTHOR": "Ada",
            "SOURCE_DATE_EPOCH": "1795489800",
        ]
        return try Job(
            shell == nil ? try Self.program : "/bin/bash", shell.map { ["-c", $0] } ?? arguments,
            base.merging(environment) { $1 }, input, self)
    }
}

/// A run that has not ended.
final class Job {
    private let program: RunningProgram
    private let folder: URL
    /// Keeps the directory.
    private let session: Session

    fileprivate init(
        _ path: String, _ arguments: [String], _ environment: [String: String], _ input: String,
        _ session: Session
    ) throws {
        self.session = session
        folder = URL(fileURLWithPath: session.path(".\(UUID().uuidString)"))
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let source = folder.appendingPathComponent("input")
        try Data(input.utf8).write(to: source)
        // Files, not pipes: nobody has to read while the program runs.
        program = try RunningProgram(
            path, arguments, environment: environment, directory: session.directory,
            input: .file(source.path),
            output: .file(folder.appendingPathComponent("output").path),
            errors: .file(folder.appendingPathComponent("errors").path))
    }

    /// What it has said on standard error so far.
    var errors: String {
        get throws {
            try String(contentsOf: folder.appendingPathComponent("errors"), encoding: .utf8)
        }
    }

    /// Sends a signal; waits before it until `isReady`, or for two minutes.
    func send(_ signal: Int32, when isReady: () throws -> Bool) throws {
        let limit = Date().addingTimeInterval(120)
        while try !isReady(), program.isRunning, Date() < limit { usleep(2_000) }
        program.send(signal)
    }

    /// Waits for the end.
    func end() throws -> Run {
        let end = program.wait()
        defer { try? FileManager.default.removeItem(at: folder) }
        let errors = try Data(contentsOf: folder.appendingPathComponent("errors"))
        return Run(
            status: end.status,
            wasKilled: end.wasKilled,
            output: try Data(contentsOf: folder.appendingPathComponent("output")),
            errors: String(decoding: errors, as: UTF8.self))
    }
}
