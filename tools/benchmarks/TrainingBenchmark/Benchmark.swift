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
        subcommands: [StepCase.self])
}
