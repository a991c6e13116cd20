internal import ArgumentParser
internal import BenchmarkSupport
internal import Foundation

/// Measures Cambium's training; `tools/bench training` runs it.
///
/// A case says in one line of JSON that it is ready, then answers each line of standard input by one
/// line of JSON, so that a peer can take its rounds in between.
@main
struct Benchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "training-benchmark", abstract: "Answer for one case of the benchmark.",
        subcommands: [StepCase.self, PeerCase.self])
}

/// What a line of output says: figures by name.
typealias Figures = [String: Double]

/// Answers the lines of standard input until it ends.
///
/// - Parameter answer: Takes the words of a line.
func answer(_ ready: Figures, _ answer: ([String]) throws -> Figures) throws {
    do {
        try say(ready)
        while let line = readLine() { try say(answer(line.split(separator: " ").map(String.init))) }
    } catch let failure as Failure {
        FileHandle.standardError.write(Data("wrong answer: \(failure)\n".utf8))
        throw ExitCode.failure
    }
}

/// The whole number at a position of a command.
func number(_ words: [String], _ index: Int) throws -> Int {
    guard words.indices.contains(index), let value = Int(words[index]) else {
        throw Failure("'\(words.joined(separator: " "))' lacks number \(index)")
    }
    return value
}
