import Foundation

/// Python with the safetensors package, where it is installed.
enum Python {
    static let hasSafetensors = (try? run("import safetensors, numpy")) != nil

    struct Failure: Error {
        let output: String
    }

    /// Runs a program and returns what it prints.
    static func run(_ program: String, _ arguments: String...) throws -> String {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["python3", "-c", program] + arguments
        let output = Pipe()
        process.standardOutput = output
        process.standardError = output
        try process.run()
        let text = String(
            decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw Failure(output: text) }
        return text
    }
}
