internal import Architectures
internal import Elements
internal import Models
package import Objects
package import Routing
package import Snapshots
internal import Tensors

/// A router over a layer's experts, solved in closed form from a snapshot's Gram sums of picks: for each of the
/// two digits of an expert's number a linear read-out.
package struct SolvedRouter: Sendable {
    package let commit: ObjectID
    /// Of its canonical form: the same set of evidence, the same id.
    package let id: ObjectID
    package let layer: Int
    package let form: ReadOut.Form
    /// λ of the high and of the low digit.
    package let lambdas: [Double]
    /// How much of the held-out targets of both digits form and λ tell; empty when that is not known.
    package let explained: [Double]
    /// What it was solved from, ascending.
    package let evidence: [ObjectID]
    package let trunk: ObjectID
    package let quantiser: ObjectID
    /// Names the texts of the evidence.
    let texts: Set<[UInt8]>
    /// Reads what the layer's own router reads.
    package let router: DigitRouter

    fileprivate init(
        _ snapshot: MappedSnapshot, _ records: [(id: ObjectID, record: GramContribution)],
        _ form: ReadOut.Form, topK: Int, _ team: ThreadTeam
    ) throws {
        let (source, first, second) = try counted(.corrupt) {
            let united = try UnitedGramSums(selection: records.map(\.record))
            return (
                united.source, try united.readOut(form, digit: 0, team: team),
                try united.readOut(form, digit: 1, team: team)
            )
        }
        let counts = (Int(source.digits[0]), Int(source.digits[1]))
        let most = min(counts.0 * counts.1, Kernels.largestTopK)
        guard topK > 0, topK <= most else {
            throw CambiumError(
                .usage, "\(topK) picks of \(counts.0 * counts.1) experts; give 1 to \(most)")
        }
        commit = snapshot.id
        layer = Int(source.layer)
        self.form = form
        lambdas = [first.lambda, second.lambda]
        let explained = [first, second].compactMap(\.explained)
        self.explained = explained.count == 2 ? explained : []
        evidence = records.map(\.id)
        trunk = ObjectID(source.trunk.raw)
        quantiser = try source.quantiser.id()
        texts = Set(records.map(\.record.data))
        router = DigitRouter(
            (first.readOut, second.readOut), counts: counts, scales: source.quantiser.scales,
            topK: topK)
        let bytes = [first.readOut, second.readOut].flatMap {
            $0.encoded(names: $0.classes.map(String.init), form.rawValue)
        }
        id = try ObjectID(ofFile: bytes)
    }
}

extension SnapshotStore {
    /// The router that a revision's Gram sums of a layer's picks are solved to.
    ///
    /// - Parameter topK: Nil for as many as a head of the layer's router.
    package func router(
        at revision: String, layer: Int, form: ReadOut.Form, topK: Int?, threads: Int
    ) throws -> SolvedRouter {
        try ThreadTeam.check(threads)
        let snapshot = try map(at: revision)
        guard snapshot.tree.architecture == Architecture.peerLM.name,
            let file = snapshot.tree.files["config.json"]
        else {
            throw CambiumError(
                .unsupported, "\(snapshot.id.short) is no peer-lm model with a config.json")
        }
        let config = try PeerConfig(json: snapshot.data(of: file))
        let trunk = try TrunkIdentity.id(of: snapshot.tree, config, layer: layer)
        let records = try snapshot.evidence().gramSums(layer: layer, ofExperts: true)
        guard let first = records.first else {
            throw CambiumError(
                .notFound,
                "\(snapshot.id.short) has no Gram sums of picks of layer \(layer); add some: cambium "
                    + "evidence add --kind gram --target experts --layer \(layer) --adapter base "
                    + "--text FILE")
        }
        for (id, record) in records {
            try record.checkQuantiser(first.record.source, id, "evidence \(first.id.short)")
            try record.checkTrunk(trunk.bytes, id, of: snapshot.id)
        }
        return try SolvedRouter(
            snapshot, records, form,
            topK: topK ?? config.peer?.topK ?? config.tree?.topK ?? config.linear?.topK ?? 1,
            ThreadTeam(count: threads))
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
            map(at: solved.commit.hex), layer: solved.layer, ofExperts: true, team)
        let second = reader.source.digits[1]
        var selection = router.noPicks
        var (targets, first, picked, high, low) = (0, 0, 0, 0, 0)
        var frequencies: [UInt32: Int] = [:]
        try reader.windows(text) { window, _, states in
            let (wanted, perToken) = reader.targets(window, states, assigned)
            let tokens = wanted.count / perToken
            router.route(states.span, tokens: tokens, into: &selection, team: team)
            for (index, expert) in wanted.enumerated() {
                let found = selection.route(token: index / perToken, head: 0).experts
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
            solved.texts.contains(try ObjectID(ofFile: text).bytes), share(first), share(picked),
            [share(high), share(low)], share(frequencies.values.max() ?? 0)
        )
    }
}
