/// What a line of output says: figures by name.
package typealias Figures = [String: Double]

/// Answers the lines of standard input until it ends.
///
/// - Parameter answer: Takes the words of a line; what it throws ends the benchmark.
package func answer(_ ready: Figures, _ answer: ([String]) throws -> Figures) throws {
    try say(ready)
    while let line = readLine() { try say(answer(line.split(separator: " ").map(String.init))) }
}

/// The whole number at a position of a command.
package func number(_ words: [String], _ index: Int) throws -> Int {
    guard words.indices.contains(index), let value = Int(words[index]) else {
        throw Failure("'\(words.joined(separator: " "))' lacks number \(index)")
    }
    return value
}
