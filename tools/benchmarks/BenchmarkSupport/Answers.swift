internal import Foundation

/// What a line of output says: figures by name.
package typealias Figures = [String: Double]

/// One line of input.
package struct Command {
    /// Its name, then what it is about.
    let words: [String]

    /// The word at a position behind the name, from 1.
    package func text(_ index: Int) throws -> String {
        guard words.indices.contains(index) else {
            throw Failure("'\(words.joined(separator: " "))' lacks word \(index)")
        }
        return words[index]
    }

    /// The whole number at a position.
    package func number(_ index: Int) throws -> Int {
        guard let value = Int(try text(index)) else {
            throw Failure("word \(index) of '\(words.joined(separator: " "))' is no number")
        }
        return value
    }
}

/// Says that it is ready, then answers each line of standard input, by the command's name, until it ends.
///
/// What an answer throws ends the benchmark.
package func answer<Answer: Encodable>(
    _ ready: Figures, _ commands: [String: (Command) throws -> Answer]
) throws {
    try say(ready)
    while let line = readLine() {
        let words = line.split(separator: " ").map(String.init)
        guard let command = commands[words.first ?? ""] else {
            throw Failure("there is no command '\(line)'")
        }
        try say(command(Command(words: words)))
    }
}

/// Prints one line of JSON.
package func say(_ value: some Encodable) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    FileHandle.standardOutput.write(try encoder.encode(value) + Data("\n".utf8))
}

/// The bytes of some numbers, least byte first.
package func bytes<Number: BitwiseCopyable>(of values: [Number]) -> [UInt8] {
    unsafe values.withUnsafeBytes { unsafe Array($0) }
}

/// Writes numbers, least byte first.
package func write<Number: BitwiseCopyable>(_ values: [Number], to path: String) throws {
    try Data(bytes(of: values)).write(to: URL(filePath: path))
}

/// All bytes of a file.
package func read(_ path: String) throws -> [UInt8] {
    Array(try Data(contentsOf: URL(filePath: path)))
}
