internal import ArgumentParser
internal import Foundation

/// Measures routers that are solved from evidence; `tools/bench merge` runs it.
///
/// Each case prints one line of JSON: figures by name.
@main
struct Benchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "merge-benchmark", abstract: "Answer for one case of the benchmark.",
        subcommands: [DigestCase.self, GateCase.self, IntentCase.self, GramCase.self])
}

/// Prints one line of JSON.
func say(_ figures: [String: Double]) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    FileHandle.standardOutput.write(try encoder.encode(figures) + Data("\n".utf8))
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

/// FNV-1a of 64 bits: tells results apart, protects nothing.
struct Digest {
    private(set) var value: UInt64 = 0xcbf2_9ce4_8422_2325

    mutating func add(_ bytes: some Sequence<UInt8>) {
        for byte in bytes { value = (value ^ UInt64(byte)) &* 0x100_0000_01b3 }
    }

    mutating func add(_ values: [Float]) {
        for value in values {
            let bits = value.bitPattern
            add((0..<4).map { UInt8(truncatingIfNeeded: bits >> (8 * $0)) })
        }
    }
}

/// SplitMix64, so that a run can be repeated.
struct Generator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
