import TestSupport

/// Python with the safetensors package, where it is installed.
enum Python {
    static let hasSafetensors = (try? run("import safetensors, numpy")) != nil

    struct Failure: Error {
        let output: String
    }

    /// Runs a program and returns what it prints.
    static func run(_ program: String, _ arguments: String...) throws -> String {
        let output = try TestPipe()
        let python = try RunningProgram(
            "python3", ["-c", program] + arguments, output: output.stream, errors: output.stream)
        output.closeWriting()
        let text = output.rest()
        guard python.wait().status == 0 else { throw Failure(output: text) }
        return text
    }
}
