internal import Architectures
internal import ArgumentParser
internal import BenchmarkSupport
internal import Foundation
internal import Models
internal import Tensors
internal import Training

/// Continual learning over a stream of domains: adapters on a frozen base beside the baselines, all in
/// this engine, at equal CPU-seconds.
///
/// Prints JSON.
@main
struct Benchmark: ParsableCommand {
    @Option(help: "The folder with one folder per domain, each with train.txt and test.txt.")
    var stream: String
    @Option(help: "An eighth of all CPU-seconds.")
    var seconds: Double = 100
    @Option(help: "Eighths that the base takes, of three domains; five rounds share the others.")
    var base: Double = 4
    @Option(help: "Bytes of each test text that are evaluated.")
    var bytes = 20_000
    @Option(help: "Seed of weights and windows.")
    var seed: UInt64 = 1
    @Option(help: "The order of the new domains: 0, 1 or 2.")
    var order = 0
    @Option(help: "Evaluate on valid.txt, to choose settings.")
    var part = "test"
    @OptionGroup var tuning: Tuning
    @Option(parsing: .upToNextOption, help: "Rows to run; all of them unless given.")
    var rows: [String] = Method.allCases.map(\.rawValue)

    static let baseDomains = ["wikitext", "gsm8k", "shakespeare"]
    static let orders = [
        ["swahili", "chinese", "metamath", "basque", "japanese"],
        ["japanese", "metamath", "swahili", "basque", "chinese"],
        ["metamath", "basque", "chinese", "japanese", "swahili"],
    ]

    func run() throws {
        let methods = try rows.map { name in
            guard let method = Method(rawValue: name) else { throw Failure("no row \(name)") }
            return method
        }
        try expect(seconds > 0, "\(seconds) CPU-seconds")
        try expect(base > 0 && base < 8, "a base of \(base) eighths")
        try expect(Self.orders.indices.contains(order), "there is no order \(order)")
        let protocolOfRun = try StreamProtocol(
            folder: stream, part: part, baseDomains: Self.baseDomains,
            newDomains: Self.orders[order], baseSeconds: base * seconds,
            roundSeconds: (8 - base) / 5 * seconds, evaluatedBytes: bytes, seed: seed, tuning)
        try say(Stream(protocolOfRun).run(methods))
    }
}

/// The rows of the table.
enum Method: String, CaseIterable {
    case cambium, cambiumMerged, cambiumDense, counts, sequential, jointPeer, jointDense
    case jointLarge
    case replay1, replay5, replay10, ewc, lwf, lora
    case neurons, swiglu, edited
    case hashed, hashedMerged, hashedPacked, hashedSmall, hashedShared, jointHashed
}

/// What the search on valid.txt chose.
struct Tuning: ParsableArguments {
    @Option(help: "The peak rate of AdamW.")
    var rate: Float = 3e-3
    @Option(help: "Windows of 256 bytes in a step.")
    var windows = 4
    @Option(help: "The peak rate in the rounds that train adapters.")
    var adapterRate: Float = 3e-3
    @Option(help: "Windows in a step of the rounds that train adapters.")
    var adapterWindows = 2
    @Option(help: "Bytes of the n-grams that predict beside the models, in the rows with counts.")
    var counts = 6
    @Option(help: "The rate of hashed experts.")
    var rowRate: Float = 0.2
    @Option(help: "The rate of hashed experts in rounds.")
    var adapterRowRate: Float = 0.2
    @Option(help: "The n-grams that hashed experts are found by, with commas between them.")
    var orders = "2,3,4,5,6,8"
    @Option(help: "Rows of each of them.")
    var tableSize = 1 << 20
    @Option(help: "Bits of an element of hashed experts, in the row hashedPacked: 2, 4 or 8.")
    var rowBits = 2
    @Option(help: "How often training texts use the hashed experts of that row, at least.")
    var rowUses = 3
    @Option(help: "The model's share beside counts; chosen on valid.txt for each row unless given.")
    var modelShare: Float?
    @Option(help: "Of EWC: times the mean of squared gradients.")
    var ewc = 100.0
    @Option(help: "Of learning without forgetting: times the divergence.")
    var lwf: Float = 1
    @Option(help: "Old experts of each layer that a round of the row 'edited' trains.")
    var editedExperts = 256
    @Option(help: "Sub-keys a side of the expert layers: the base has two layers of their square.")
    var subKeys = 64
    @Option(
        help: "The JSON of a run whose steps per CPU-second are taken, to repeat it to the bit.")
    var paces: String?

    private struct Measured: Decodable { let paces: [String: Double] }

    /// Steps per CPU-second that another run measured, by pace.
    func measuredPaces() throws -> [String: Double] {
        guard let paces else { return [:] }
        return try JSONDecoder().decode(Measured.self, from: Data(try read(paces))).paces
    }
}

/// What is trained on what, for how long.
struct StreamProtocol {
    let baseDomains, newDomains: [String]
    let train, test, valid: [String: [UInt8]]
    let baseSeconds, roundSeconds: Double
    let evaluatedBytes: Int
    let seed: UInt64
    let tuning: Tuning
    let paces: [String: Double]

    var domains: [String] { baseDomains + newDomains }

    init(
        folder: String, part: String, baseDomains: [String], newDomains: [String],
        baseSeconds: Double, roundSeconds: Double, evaluatedBytes: Int, seed: UInt64,
        _ tuning: Tuning
    ) throws {
        var (train, test, valid): ([String: [UInt8]], [String: [UInt8]], [String: [UInt8]]) =
            ([:], [:], [:])
        for domain in baseDomains + newDomains {
            let path = folder + "/" + domain
            train[domain] = try read(path + "/train.txt")
            test[domain] = try read(path + "/\(part).txt")
            valid[domain] = try read(path + "/valid.txt")
        }
        (self.baseDomains, self.newDomains) = (baseDomains, newDomains)
        (self.train, self.test, self.valid) = (train, test, valid)
        (self.baseSeconds, self.roundSeconds) = (baseSeconds, roundSeconds)
        self.evaluatedBytes = evaluatedBytes
        self.seed = seed
        self.tuning = tuning
        paces = try tuning.measuredPaces()
    }

    func text(_ domain: String, share: Double = 1) -> TrainingText {
        TrainingText(train[domain] ?? [], share: share)
    }

    /// What a model looks like.
    enum Sizes: Hashable {
        /// peer-lm's, with expert layers; without; and dense with as many weights as the base and five
        /// adapters together; and dense with hashed experts at the input.
        case peer, dense, large, hashed

        /// Of training all of it.
        var pace: Pace {
            switch self {
            case .peer: .peer
            case .dense: .dense
            case .large: .large
            case .hashed: .hashed
            }
        }
    }

    func config(_ sizes: Sizes) throws -> PeerConfig {
        let layers = sizes == .peer ? "[1,2]" : "[]"
        let (hidden, inner, heads) = sizes == .large ? (352, 1024, 11) : (128, 256, 4)
        let hash =
            sizes == .hashed
            ? ",\"hash\":{\"layers\":[0],\"orders\":[\(tuning.orders)],\"table_size\":\(tuning.tableSize)}"
            : ""
        let json = """
            {"architecture":"peer-lm","vocab_size":256,"hidden_size":\(hidden),"num_layers":4,
            "num_heads":\(heads),"context_length":256,"ffn_size":\(inner),"rms_norm_eps":1e-05,
            "rope_theta":10000,"peer_layers":\(layers),
            "peer":{"sub_keys":\(tuning.subKeys),"heads":4,"top_k":8,"key_size":64}\(hash)}
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
    /// The model's share beside counts.
    var modelShare: Float?
    /// Hashed experts that something trained.
    var rows = 0
    var processorSeconds = 0.0
    var steps = 0

    init(name: String) { self.name = name }

    /// The row of what begins as a model that was trained.
    init(name: String, _ model: TrainableModel, _ summary: TrainingSummary) {
        self.name = name
        parameters = model.parameterCount
        activeParameters = model.layout.count
        rows = model.rows.joined().reduce(0) { $0 + $1.ids.count }
        add(summary)
    }

    /// Adds what a round cost.
    mutating func add(_ summary: TrainingSummary) {
        processorSeconds += summary.processorSeconds
        steps += summary.steps
    }
}

struct Results: Encodable {
    let domains: [String]
    let baseDomains: Int
    let seed: UInt64
    let baseSeconds, roundSeconds: Double
    let evaluatedBytes: Int
    /// Steps per CPU-second, by what is trained.
    var paces: [String: Double] = [:]
    var rows: [Row] = []
    /// How often each class (base, then adapters) is the gate's first pick, by domain.
    var gateUse: [[Double]] = []
    /// Digests of all adapters, trained one after the other and each on a branch of its own.
    var adapterDigests: [String] = []
    /// Digests of the gate of all domains, counts added in both orders.
    var gateDigests: [String] = []
}
