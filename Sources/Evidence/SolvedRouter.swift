internal import Architectures
internal import Elements
internal import Models
package import Objects
package import Routing
package import Snapshots
internal import Tensors

/// A router over a layer's experts, solved in closed form from a snapshot's Gram sums of picks.
package struct SolvedRouter: Sendable {
    package let commit: ObjectID
    package let solution: RouterSolution
    /// Reads what the layer's own router reads.
    package let router: any Router
}

extension SnapshotStore {
    /// The router that a revision's Gram sums of a layer's picks are solved to.
    ///
    /// - Parameter topK: Nil for as many as a head of the layer's router.
    package func router(
        at revision: String, layer: Int, form: ReadOut.Form, topK: Int?, threads: Int
    ) throws -> SolvedRouter {
        try ThreadTeam.check(threads)
        let id = try resolve(revision)
        let tree = try tree(commit(id).tree)
        let config = try peerConfig(of: tree, id.short)
        let solution = try routerSolution(
            of: tree, layer: layer, form: form, place: id.short, team: ThreadTeam(count: threads))
        let picks = topK ?? config.peer?.topK ?? config.tree?.topK ?? config.linear?.topK ?? 1
        let reached = config.tree.map {
            let last = $0.branching[$0.branching.count - 1]
            return min($0.beam, $0.expertCount / last) * last
        }
        let most = min(reached ?? solution.expertCount, Kernels.largestTopK)
        guard picks > 0, picks <= most else {
            throw CambiumError(
                .usage, "\(picks) picks of \(solution.expertCount) experts; give 1 to \(most)")
        }
        let router: any Router =
            switch solution.readOuts {
            case .digits(let readOuts): DigitRouter(readOuts, topK: picks)
            case .tree(let readOuts):
                TreeRouter(readOuts, beam: config.tree?.beam ?? 1, topK: picks)
            }
        return SolvedRouter(commit: id, solution: solution, router: router)
    }

    /// How far a solved router picks on a text what it should: the experts that the layer's own router's heads pick
    /// first, or that are assigned.
    ///
    /// - Returns: Whether the router was solved from this very text, and shares of the targets.
    package func agreement(
        of solved: SolvedRouter, on text: [UInt8], assigned: [UInt32]?, threads: Int
    ) throws -> (
        isEvidence: Bool, first: Double, picked: Double, digits: [Double], mostFrequent: Double
    ) {
        try ThreadTeam.check(threads)
        guard !text.isEmpty else { throw CambiumError(.usage, "the text has no bytes") }
        let router = solved.router
        try assigned?.checkAssigned(text, "the text", experts: router.expertCount)
        let team = ThreadTeam(count: threads)
        let reader = try GramReader(
            map(at: solved.commit.hex), layer: solved.solution.layer, ofExperts: true,
            assigned: assigned != nil, team)
        let second = UInt32(solved.solution.lowCount)
        let heads = reader.source.heads
        var selection = router.noPicks
        var (targets, first, picked, high, low) = (0, 0, 0, 0, 0)
        var frequencies: [UInt32: Int] = [:]
        try reader.windows(text) { window, _, states in
            let wanted = reader.targets(window, states, assigned)
            let tokens = wanted.count / heads
            router.route(states.span, tokens: tokens, into: &selection, team: team)
            for (index, expert) in wanted.enumerated() {
                // Of one head's router all targets are that head's.
                let head = min(index % heads, router.heads - 1)
                let found = selection.route(token: index / heads, head: head).experts
                targets += 1
                frequencies[expert, default: 0] += 1
                if found[0] == expert { first += 1 }
                if found.contains(expert) { picked += 1 }
                if found[0] / second == expert / second { high += 1 }
                if found[0] % second == expert % second { low += 1 }
            }
        }
        func share(_ count: Int) -> Double { Double(count) / Double(targets) }
        return (
            solved.solution.texts.contains(try ObjectID(ofFile: text).bytes), share(first),
            share(picked),
            [share(high), share(low)], share(frequencies.values.max() ?? 0)
        )
    }
}
