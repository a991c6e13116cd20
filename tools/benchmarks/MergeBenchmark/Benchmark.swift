internal import ArgumentParser
internal import Foundation

/// Measures routers that are solved from evidence; `tools/bench merge` runs it.
///
/// Each case prints one line of JSON: figures by name.
@main
struct Benchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "merge-benchmark", abstract: "Answer for one case of the benchmark.",
        subcommands: [
            DigestCase.self, GateCase.self, IntentCase.self, GramCase.self, PolicyCase.self,
            DistilledCase.self, MillionMakeCase.self, MillionMergeCase.self,
        ])
}

/// The domains of the stream, in the order of their names.
let domains = [
    "basque", "chinese", "gsm8k", "japanese", "metamath", "shakespeare", "swahili", "wikitext",
]

/// The first bytes of a domain's text; `part` is train, valid or test.
func text(_ data: String, _ domain: String, _ part: String, _ count: Int) throws -> [UInt8] {
    let url = URL(filePath: data).appending(path: "\(domain)/\(part).txt")
    return Array(try Data(contentsOf: url).prefix(count))
}
