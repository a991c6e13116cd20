internal import ArgumentParser
internal import BenchmarkSupport
internal import Routing
internal import Tensors

/// One kind of router over noise: `time BATCH COUNT START`.
struct KindCase: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "kind")
    private static let width = 256
    private static let topK = 16
    private static let branching = 32

    @Option(help: "linear, productKey, productKeyInt8 or tree.") var kind: String
    @Option(help: "A power of two.") var experts: Int
    @Option var threads = 2

    func run() throws {
        let team = ThreadTeam(count: threads)
        let router = try router()
        let tokens = 1024
        let x = Noise.floats(tag: 4 << 40, count: tokens * Self.width, scale: 1.732)
        try checkBatches(router, x, team)
        let ready = ["heads": Double(router.heads), "experts": Double(router.expertCount)]
        try answer(
            ready,
            [
                "time": { command in
                    try time(
                        router, x, team, batch: command.number(1), count: command.number(2),
                        start: command.number(3))
                }
            ])
    }

    private func time(
        _ router: some Router, _ x: [Float], _ team: ThreadTeam, batch: Int, count: Int, start: Int
    ) -> Figures {
        let tokens = x.count / Self.width
        var selection = router.noPicks
        let (spent, _) = seconds {
            for index in stride(from: 0, to: count, by: batch) {
                let from = (start + index) % (tokens - batch + 1) * Self.width
                router.route(
                    x.span.extracting(from..<from + batch * Self.width), tokens: batch,
                    into: &selection, team: team)
            }
        }
        let routed = (count + batch - 1) / batch * batch
        return ["us": spent / Double(routed) * 1e6]
    }

    /// A token's route is the same alone and in a batch.
    private func checkBatches(_ router: some Router, _ x: [Float], _ team: ThreadTeam) throws {
        var (all, one) = (router.noPicks, router.noPicks)
        router.route(x.span.extracting(0..<8 * Self.width), tokens: 8, into: &all, team: team)
        for token in [0, 7] {
            let range = token * Self.width..<(token + 1) * Self.width
            router.route(x.span.extracting(range), tokens: 1, into: &one)
            try expect(
                (0..<router.heads).allSatisfy {
                    one.route(token: 0, head: $0) == all.route(token: token, head: $0)
                }, "token \(token) differs alone and in a batch")
        }
    }

    private func router() throws -> any Router {
        let bits = experts.trailingZeroBitCount
        try expect(experts == 1 << bits && bits >= 10, "\(experts) is not a power of two from 1024")
        switch kind {
        case "linear":
            return LinearRouter(
                PackedMatrix(noise(experts, Self.width, tag: 5 << 40, scale: 0.108)),
                topK: Self.topK)
        case "productKey", "productKeyInt8":
            let (n, m) = (1 << ((bits + 1) / 2), 1 << (bits / 2))
            func keys(_ tag: UInt64, _ count: Int) -> [any Projection] {
                (0..<8).map {
                    projection(
                        noise(count, 128, tag: tag << 40 + $0, scale: 0.153),
                        int8: kind.hasSuffix("Int8"))
                }
            }
            let query = noise(8 * 256, Self.width, tag: 1 << 40, scale: 0.108)
            return ProductKeyRouter(
                query: projection(query, int8: kind.hasSuffix("Int8")),
                keys: ProductKeys(first: keys(2, n), second: keys(3, m)), heads: 8,
                topK: Self.topK)
        case "tree":
            // What is left over goes to the last level.
            var (branching, nodes) = ([Int](), 1)
            while nodes < experts {
                branching.append(min(Self.branching, experts / nodes))
                nodes *= branching[branching.count - 1]
            }
            nodes = 1
            var keys: [Matrix] = []
            for (level, children) in branching.enumerated() {
                nodes *= children
                keys.append(noise(nodes, Self.width, tag: 6 << 40 + UInt64(level), scale: 0.108))
            }
            return TreeRouter(keys: keys, branching: branching, beam: Self.topK, topK: Self.topK)
        default: throw Failure("there is no kind '\(kind)'")
        }
    }
}
