internal import ArgumentParser
internal import BenchmarkSupport
internal import Foundation
internal import Models
internal import Training

/// Continual learning over a stream of domains: cohorts on a frozen base beside the baselines, all in
/// this engine, at equal CPU-seconds.
///
/// Prints JSON.
@main
struct Benchmark: ParsableCommand {
    @Option(help: "The folder with one folder per domain, each with train.txt and test.txt.")
    var stream: String
    @Option(help: "CPU-seconds of the base; a round takes a ninth.")
    var seconds: Double = 900
    @Option(help: "Bytes of each test text that are evaluated.")
    var bytes = 20_000
    @Option(help: "Seed of weights and windows.")
    var seed: UInt64 = 1
    @Option(parsing: .upToNextOption, help: "Rows to run; all of them unless given.")
    var rows: [String] = Method.allCases.map(\.rawValue)

    static let baseDomains = ["wikitext", "gsm8k", "shakespeare"]
    static let newDomains = ["swahili", "chinese", "metamath", "basque", "japanese"]

    func run() throws {
        let methods = try rows.map { name in
            guard let method = Method(rawValue: name) else { throw Failure("no row \(name)") }
            return method
        }
        try expect(seconds > 0, "\(seconds) CPU-seconds")
        let protocolOfRun = try StreamProtocol(
            folder: stream, baseDomains: Self.baseDomains, newDomains: Self.newDomains,
            baseSeconds: seconds, roundSeconds: seconds / 9, evaluatedBytes: bytes, seed: seed)
        let results = try Stream(protocolOfRun).run(methods)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        print(String(decoding: try encoder.encode(results), as: UTF8.self))
    }
}

/// The rows of the table.
enum Method: String, CaseIterable {
    case cambium, sequential, jointPeer, jointDense
    case replay1, replay5, replay10, ewc, lora
}

/// What is trained on what, for how long.
struct StreamProtocol {
    let baseDomains, newDomains: [String]
    let train, test: [String: [UInt8]]
    let baseSeconds, roundSeconds: Double
    let evaluatedBytes: Int
    let seed: UInt64

    var domains: [String] { baseDomains + newDomains }

    init(
        folder: String, baseDomains: [String], newDomains: [String], baseSeconds: Double,
        roundSeconds: Double, evaluatedBytes: Int, seed: UInt64
    ) throws {
        var (train, test): ([String: [UInt8]], [String: [UInt8]]) = ([:], [:])
        for domain in baseDomains + newDomains {
            let path = folder + "/" + domain
            train[domain] = [UInt8](try Data(contentsOf: URL(filePath: path + "/train.txt")))
            test[domain] = [UInt8](try Data(contentsOf: URL(filePath: path + "/test.txt")))
        }
        (self.baseDomains, self.newDomains) = (baseDomains, newDomains)
        (self.train, self.test) = (train, test)
        (self.baseSeconds, self.roundSeconds) = (baseSeconds, roundSeconds)
        self.evaluatedBytes = evaluatedBytes
        self.seed = seed
    }

    func text(_ domain: String, share: Double = 1) -> TrainingText {
        TrainingText(train[domain] ?? [], share: share)
    }

    /// peer-lm's sizes, with or without expert layers.
    static func config(experts: Bool) throws -> PeerConfig {
        let layers = experts ? "[1,2]" : "[]"
        let json = """
            {"architecture":"peer-lm","vocab_size":256,"hidden_size":128,"num_layers":4,
            "num_heads":4,"context_length":256,"ffn_size":256,"rms_norm_eps":1e-05,
            "rope_theta":10000,"peer_layers":\(layers),
            "peer":{"sub_keys":64,"heads":4,"top_k":8,"key_size":64}}
            """
        return try PeerConfig(json: Array(json.utf8))
    }
}

/// One row of the table.
struct Row: Encodable {
    var name: String
    /// By stage, from that of the base on: bits per byte by domain.
    var stages: [[Double]] = []
    var parameters = 0
    var activeParameters = 0
    var stateBytes = 0
    var replayBytes = 0
    var processorSeconds = 0.0
    var steps = 0
}

struct Results: Encodable {
    let domains: [String]
    let baseDomains: Int
    let seed: UInt64
    let baseSeconds, roundSeconds: Double
    let evaluatedBytes: Int
    var rows: [Row] = []
    /// How often each class (base, then cohorts) is the gate's first pick, by domain.
    var gateUse: [[Double]] = []
    /// Digests of the first cohort, trained twice from the same base, text and seed.
    var cohortDigests: [String] = []
}
