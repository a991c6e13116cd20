internal import Architectures
internal import ArgumentParser
internal import BenchmarkSupport
internal import Foundation
internal import Models
internal import Routing
internal import Tensors

/// A trained product-key router distilled into one that is solved from the digits of its picks: how often
/// it finds what the trained one picks first.
struct DistilledCase: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "distilled")

    @Option(help: "Folder of the domains.") var data: String
    @Option(help: "The checkpoint whose router is distilled.") var checkpoint: String
    @Option var layer = 2
    @Option(help: "Bytes of training text of each domain.") var train = 65_536
    @Option(help: "Bytes of test text of each domain.") var test = 8_192

    private static let texts = ["wikitext", "gsm8k", "shakespeare"]

    func run() throws {
        let states = try States(checkpoint, layer: layer)
        guard let sizes = states.config.peer else { throw Failure("the model has no experts") }
        let side = UInt32(sizes.subKeys)
        // Halves of the texts, as two branches would have them.
        var branches = (0..<2).map { _ in DigitGramSums(width: states.width, digits: 2) }
        var (all, heldOut) = (branches[0], branches[0])
        for domain in Self.texts {
            let whole = try text(data, domain, "train", train)
            for (branch, half) in [whole.prefix(whole.count / 2), whole.suffix(whole.count / 2)]
                .enumerated()
            {
                try add(Array(half), states, side, to: &branches[branch])
                try add(Array(half), states, side, to: &all)
            }
            try add(text(data, domain, "valid", test), states, side, to: &heldOut)
        }
        var merged = branches[1]
        try merged.add(branches[0])
        let topK = sizes.heads * sizes.topK
        let (readOuts, lambdas) = try solve(merged, heldOut, states, Int(side))
        try expect(
            try solve(all, heldOut, states, Int(side)).readOuts == readOuts,
            "the merged router is not the one of all data")
        let router = DigitRouter(readOuts, topK: topK)
        var (first, found, selection, tokens) = (0, 0, 0, 0)
        for domain in Self.texts {
            let text = try text(data, domain, "test", test)
            try states.forEachWindow(of: text) { count, x in
                let wanted = states.inputs.firstSelections(x)
                var made = router.noPicks
                router.route(x.span, tokens: count, into: &made)
                for token in 0..<count {
                    let own = Set(made.experts[token * topK..<(token + 1) * topK])
                    let theirs = wanted[token * sizes.heads..<(token + 1) * sizes.heads]
                    found += theirs.count { own.contains($0) }
                    selection += theirs.count
                    if theirs.contains(made.experts[token * topK]) { first += 1 }
                    tokens += 1
                }
            }
        }
        try say([
            "found": Double(found) / Double(selection), "first": Double(first) / Double(tokens),
            "chance": Double(topK) / Double(sizes.expertCount), "topK": Double(topK),
            "experts": Double(sizes.expertCount), "lambda_high": lambdas.0, "lambda_low": lambdas.1,
        ])
    }

    private func add(
        _ text: [UInt8], _ states: States, _ side: UInt32, to gramSums: inout DigitGramSums
    ) throws {
        try states.forEachWindow(of: text) { _, x in
            let features = try states.quantiser.features(x.span)
            try gramSums.add(
                features.span, experts: states.inputs.firstSelections(x), second: side,
                perToken: states.inputs.picksPerToken)
        }
    }

    private func solve(
        _ gramSums: DigitGramSums, _ heldOut: DigitGramSums, _ states: States, _ side: Int
    ) throws -> (readOuts: DigitReadOuts, lambdas: (Double, Double)) {
        let team = ThreadTeam(count: 2)
        let solved = try (0..<2).map { digit in
            let fitted = try gramSums.gramSums(digit)
            let lambda = try ReadOut.lambda(
                .ridge, fitted: fitted, heldOut: heldOut.gramSums(digit), team: team)
            return (try ReadOut(.ridge, of: fitted, lambda: lambda, team: team), lambda)
        }
        return (
            DigitReadOuts(
                solved.map(\.0), counts: (side, side), scales: states.quantiser.scales),
            (solved[0].1, solved[1].1)
        )
    }
}
