internal import ArgumentParser
internal import BenchmarkSupport
internal import Foundation
internal import Models
internal import Routing
internal import Tensors

/// One PEER layer on a mapped store: route, experts and both, fp32 and int8 routers.
///
/// Commands: `time PART ROUTER BATCH COUNT START` with PART of route, experts, layer and ROUTER of
/// fp32, int8; `answer ROUTER COUNT PATH`; `floor rows|stream COUNT`.
struct LayerCase: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "layer")

    @Option var dir: String
    @Option(help: "Values of an expert's high digit.") var first: Int
    @Option(help: "Values of the low digit.") var second: Int
    @Option(help: "Sets of sub-keys: 1, or one for each head.") var sets = 8
    @Option var threads = 2

    func run() throws {
        let path = "\(dir)/store-\(first * second)"
        var ready: Figures = [:]
        if !FileManager.default.fileExists(atPath: path) {
            ready["make_seconds"] = try seconds {
                try LayerStore.make(path, count: first * second)
            }.0
        }
        BLASThreads.set(threads)
        let layer = try LayerUnderTest(
            path, first: first, second: second, sets: sets, threads: threads)
        ready["warm_seconds"] = try seconds { try layer.warm() }.0
        ready.merge(try layer.check()) { $1 }
        let floors = try Floors(path, threads: threads)
        try answer(
            ready,
            [
                "time": { command in
                    try layer.time(
                        command.text(1), command.text(2), batch: command.number(3),
                        count: command.number(4), start: command.number(5))
                },
                "answer": { command in
                    try layer.answer(
                        command.text(1), count: command.number(2), to: command.text(3))
                },
                "floor": { command in
                    try command.text(1) == "rows"
                        ? floors.rows(tokens: command.number(2)) : floors.stream()
                },
            ])
    }
}

/// The layer with its inputs.
final class LayerUnderTest {
    static let heads = 8
    static let topK = 16
    static let half = 128
    /// Tokens that rounds take turns through.
    static let tokens = 8192
    private static let width = LayerStore.width

    let first: [Matrix]
    let second: [Matrix]
    let query: Matrix
    let table: any ExpertTable
    let x: [Float]
    private let routers: [String: ProductKeyRouter]
    private let team: ThreadTeam

    init(_ path: String, first n: Int, second m: Int, sets: Int, threads: Int) throws {
        let (heads, half) = (Self.heads, Self.half)
        query = noise(heads * 2 * half, Self.width, tag: 1 << 40, scale: LayerStore.scale)
        // Scores of about unit variance; queries are normalised.
        first = (0..<sets).map { noise(n, half, tag: 2 << 40 + UInt64($0), scale: 0.153) }
        second = (0..<sets).map { noise(m, half, tag: 3 << 40 + UInt64($0), scale: 0.153) }
        x = Noise.floats(tag: 4 << 40, count: Self.tokens * Self.width, scale: 1.732)
        var routers: [String: ProductKeyRouter] = [:]
        for (name, int8) in [("fp32", false), ("int8", true)] {
            routers[name] = ProductKeyRouter(
                query: projection(query, int8: int8),
                keys: ProductKeys(
                    first: first.map { projection($0, int8: int8) },
                    second: second.map { projection($0, int8: int8) }),
                heads: heads, topK: Self.topK)
        }
        self.routers = routers
        table = try SnapshotWeights(try LayerStore.map(path)).experts(layer: 0)
        team = ThreadTeam(count: threads)
    }

    /// Finds every expert once, and reads it.
    func warm() throws {
        let ordinals = (0..<UInt32(table.count)).map { $0 }
        var sum: UInt64 = 0
        for start in stride(from: 0, to: table.count, by: 4096) {
            let block = ordinals.span.extracting(start..<min(start + 4096, table.count))
            try table.visit(block) { _, expert in
                sum &+= unsafe UInt64(expert.unsafeLoad(fromByteOffset: 0, as: UInt32.self))
            }
        }
        try expect(sum != 0, "all experts are zero")
    }

    private func router(_ name: String) throws -> ProductKeyRouter {
        guard let router = routers[name] else { throw Failure("there is no router '\(name)'") }
        return router
    }

    /// Where some tokens are in `x`.
    private func range(_ start: Int, _ count: Int) -> Range<Int> {
        start * Self.width..<(start + count) * Self.width
    }

    func route(_ name: String, _ start: Int, _ count: Int) throws -> Selection {
        let (router, x) = (try router(name), x)
        var selection = router.noPicks
        router.route(
            x.span.extracting(range(start, count)), tokens: count, into: &selection, team: team)
        return selection
    }

    func outputs(_ selection: borrowing Selection, _ start: Int, _ count: Int) throws -> [Float] {
        let x = x
        var out = [Float](repeating: 0, count: count * Self.width)
        var span = out.mutableSpan
        try table.addOutputs(
            of: selection, x.span.extracting(range(start, count)), tokens: count, into: &span,
            team: team)
        return out
    }

    /// Microseconds per token of `count` tokens in batches.
    func time(
        _ part: String, _ name: String, batch: Int, count: Int, start: Int
    ) throws -> Figures {
        let (router, x) = (try router(name), x)
        let starts = stride(from: 0, to: count, by: batch).map {
            (start + $0) % (Self.tokens - batch + 1)
        }
        var selection = router.noPicks
        var out = [Float](repeating: 0, count: batch * Self.width)
        let known = part == "experts" ? try starts.map { try route(name, $0, batch) } : []
        let (spent, _) = try seconds {
            for (index, start) in starts.enumerated() {
                if part != "experts" {
                    router.route(
                        x.span.extracting(range(start, batch)), tokens: batch, into: &selection,
                        team: team)
                }
                guard part != "route" else { continue }
                var span = out.mutableSpan
                try table.addOutputs(
                    of: part == "experts" ? known[index] : selection,
                    x.span.extracting(range(start, batch)),
                    tokens: batch, into: &span, team: team)
            }
        }
        return ["us": spent / Double(starts.count * batch) * 1e6]
    }

    /// Writes the picks of the first tokens as UInt32 and the outputs as Float to PATH.ids and
    /// PATH.out.
    func answer(_ name: String, count: Int, to path: String) throws -> Figures {
        let selection = try route(name, 0, count)
        let out = try outputs(selection, 0, count)
        try write(selection.experts, to: path + ".ids")
        try write(out, to: path + ".out")
        return ["tokens": Double(count), "distinct": Double(Set(selection.experts).count)]
    }
}
