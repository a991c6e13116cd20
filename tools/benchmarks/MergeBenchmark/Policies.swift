internal import ArgumentParser
internal import BenchmarkSupport
internal import Cambium
internal import Merging
internal import Routing
internal import Snapshots

/// Two branches that each learned three domains: their routers merged by evidence, and as tables of floats
/// by the mean, TIES and task arithmetic.
///
/// The routers are ridge read-outs of eight domains over the states of the real trunk, each solved from what
/// its side has: the base's two domains and its own three. A domain that a side never saw has a row of
/// zeros, which is the least-squares solution for it.
struct PolicyCase: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "policies")

    @Option(help: "Folder of the domains.") var data: String
    @Option(help: "The checkpoint whose trunk makes the states.") var checkpoint: String
    @Option var layer = 2
    @Option(help: "Bytes of training text of each domain.") var train = 65_536
    @Option(help: "Bytes of test text of each domain.") var test = 16_384

    /// What each side knows: the base, then the branches.
    private static let sides = [
        ["wikitext", "gsm8k"], ["swahili", "basque", "shakespeare"],
        ["chinese", "japanese", "metamath"],
    ]
    /// A domain's class.
    private static let domainNames = sides.flatMap { $0 }

    /// Rows of weights and biases, [domains, d + 1].
    private typealias Table = [Float]

    func run() throws {
        let states = try States(checkpoint, layer: layer)
        var (records, tests) = ([GramSums](), [[Int16]]())
        for (label, domain) in Self.domainNames.enumerated() {
            let learned = try states.features(text(data, domain, "train", train))
            var gramSums = GramSums(width: states.width)
            try gramSums.add(
                learned.span,
                labels: [UInt32](repeating: UInt32(label), count: learned.count / states.width))
            records.append(gramSums)
            tests.append(try states.features(text(data, domain, "test", test)))
        }
        let lambda = try heldOutLambda(states)
        func table(_ labels: [Int]) throws -> Table {
            var sum = GramSums(width: states.width)
            for label in labels { try sum.add(records[label]) }
            return Self.table(try ReadOut(.ridge, of: sum, lambda: lambda), states.width)
        }
        let (own, one, two) = ([0, 1], [2, 3, 4], [5, 6, 7])
        let base = try table(own)
        let (first, second) = (try table(own + one), try table(own + two))
        var figures: [String: Double] = ["lambda": lambda]
        func judge(_ name: String, _ merged: Table, _ other: Table) {
            for (side, labels) in [("base", own), ("first", one), ("second", two)] {
                let (bytes, windows) = accuracy(merged, tests, labels, states.width)
                figures["\(name)_\(side)"] = bytes
                figures["\(name)_\(side)_windows"] = windows
            }
            let (bytes, windows) = accuracy(merged, tests, own + one + two, states.width)
            figures["\(name)_all"] = bytes
            figures["\(name)_all_windows"] = windows
            figures["\(name)_orders"] = merged == other ? 1 : 2
        }
        judge("evidence", try table(own + one + two), try table(two + one + own))
        judge("alone", first, first)
        for policy in Self.policies {
            judge(
                policy.name, try Self.merge(policy, base, [first, second]),
                try Self.merge(policy, base, [second, first]))
        }
        try sequences(&figures, base, table)
        try say(figures)
    }

    private static let policies: [any ConflictPolicy] = [
        MeanPolicy(weights: [1, 1]), TiesPolicy(), TaskPolicy(),
    ]

    /// The whole table as one tensor, as programs that merge checkpoints see it.
    private static func merge(
        _ policy: any ConflictPolicy, _ base: Table, _ sides: [Table]
    ) throws -> Table {
        let values = sides.enumerated().map {
            ConflictValue(side: $0.offset, bytes: bytes(of: $0.element))
        }
        guard
            let merged = policy.resolve(
                .trunk("gate"), parts: [TensorShape(.f32, [base.count])], base: bytes(of: base),
                values: values)?.bytes
        else { throw Failure("\(policy.name) merged nothing") }
        let span = merged.raw
        return base.indices.map { Float(bitPattern: span.number(at: 4 * $0)) }
    }

    /// Four branches merged one after the other in all orders: how many routers come out.
    private func sequences(
        _ figures: inout [String: Double], _ base: Table, _ table: ([Int]) throws -> Table
    ) throws {
        let branches = [[2], [3, 4], [5], [6, 7]]
        let tables = try branches.map { try table([0, 1] + $0) }
        var found: [String: Set<Table>] = [:]
        for order in permutations([0, 1, 2, 3]) {
            found["evidence", default: []].insert(
                try table([0, 1] + order.flatMap { branches[$0] }))
            for policy in Self.policies {
                var merged = tables[order[0]]
                for next in order.dropFirst() {
                    merged = try Self.merge(policy, base, [merged, tables[next]])
                }
                found[policy.name, default: []].insert(merged)
            }
        }
        for (name, tables) in found { figures["\(name)_sequences"] = Double(tables.count) }
        try expect(found["evidence"]?.count == 1, "the order of evidence changed the router")
    }

    private func permutations(_ items: [Int]) -> [[Int]] {
        guard items.count > 1 else { return [items] }
        return items.flatMap { item in
            permutations(items.filter { $0 != item }).map { [item] + $0 }
        }
    }

    /// λ of all routers alike, by the valid texts of the base's domains, which all sides have.
    private func heldOutLambda(_ states: States) throws -> Double {
        var (fitted, heldOut) = (GramSums(width: states.width), GramSums(width: states.width))
        for (label, domain) in Self.sides[0].enumerated() {
            for part in ["train", "valid"] {
                let x = try states.features(
                    text(data, domain, part, part == "train" ? train : test))
                let labels = [UInt32](repeating: UInt32(label), count: x.count / states.width)
                if part == "train" {
                    try fitted.add(x.span, labels: labels)
                } else {
                    try heldOut.add(x.span, labels: labels)
                }
            }
        }
        return try ReadOut.lambda(.ridge, fitted: fitted, heldOut: heldOut)
    }

    private static func table(_ readOut: ReadOut, _ width: Int) -> Table {
        var table = Table(repeating: 0, count: domainNames.count * (width + 1))
        for (index, id) in readOut.classes.enumerated() {
            let start = Int(id) * (width + 1)
            for feature in 0..<width {
                table[start + feature] = readOut.weights[index * width + feature]
            }
            table[start + width] = readOut.biases[index]
        }
        return table
    }

    /// The shares of bytes and of windows of 64 bytes, by their summed scores, whose domain is found.
    private func accuracy(
        _ table: Table, _ tests: [[Int16]], _ labels: [Int], _ width: Int
    ) -> (bytes: Double, windows: Double) {
        var (right, all, windowsRight, windows) = (0, 0, 0, 0)
        let classes = tests.count
        for label in labels {
            let x = tests[label]
            var sums = [Float](repeating: 0, count: classes)
            for token in 0..<x.count / width {
                var best = (score: -Float.infinity, label: 0)
                for other in 0..<classes {
                    let start = other * (width + 1)
                    var score = table[start + width]
                    for feature in 0..<width {
                        score += table[start + feature] * Float(x[token * width + feature])
                    }
                    sums[other] += score
                    if score > best.score { best = (score, other) }
                }
                all += 1
                if best.label == label { right += 1 }
                guard token % 64 == 63 else { continue }
                windows += 1
                if sums.indices.max(by: { sums[$0] < sums[$1] }) == label { windowsRight += 1 }
                sums = [Float](repeating: 0, count: classes)
            }
        }
        return (Double(right) / Double(all), Double(windowsRight) / Double(windows))
    }
}
