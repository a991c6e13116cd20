internal import Architectures
internal import Checkpoints
internal import Elements
internal import Evidence
internal import Models
internal import Objects
package import Routing
internal import Snapshots
internal import Tensors

/// A router over a layer's experts, solved in closed form from Gram sums of picks: for each of the two digits
/// of an expert's number a linear read-out.
///
/// Of the picks of the layer's own router it distils one that merges exactly. No model runs it: a
/// product-key router normalises its queries, has no biases and few rows of keys, so its tensors cannot
/// hold these read-outs.
public struct ExpertRouter: Sendable {
    /// The commit that it was solved for.
    public let commit: String
    /// The SHA-256 of its canonical form: the same set of evidence, the same id.
    public let id: String
    /// The layer whose experts it picks among.
    public let layer: Int
    /// How it was solved.
    public let form: ReadOutForm
    /// λ of the high and of the low digit, chosen by what the records hold out.
    public let lambdas: [Double]
    /// How much of the held-out targets of the high and of the low digit its form and λ tell.
    ///
    /// Solved without them, it is spared this share of the squared error of always answering with the
    /// frequencies. Empty of discriminants, whose scores are no estimates of targets, and when nothing is
    /// held out.
    public let explained: [Double]
    /// Experts that it picks among.
    public let experts: Int
    /// Ids of the evidence that it was solved from, ascending.
    public let evidence: [String]
    /// Names the trunk whose states it reads.
    public let trunk: String
    /// Names what made integers of the states.
    public let quantiser: String
    /// The texts of the evidence.
    let texts: Set<[UInt8]>
    /// Reads what the layer's own router reads.
    package let router: DigitRouter

    fileprivate init(
        _ snapshot: MappedSnapshot, _ records: [NamedContribution], _ form: ReadOutForm,
        topK: Int, _ team: ThreadTeam
    ) throws {
        let gramSums = records.gramSums
        let solved = try counted(.corrupt) {
            let united = try UnitedGramSums(selection: gramSums)
            let kind: ReadOut.Form = form == .ridge ? .ridge : .discriminant
            let first = try united.readOut(kind, digit: 0, team: team)
            let second = try united.readOut(kind, digit: 1, team: team)
            return (source: united.source, first: first, second: second)
        }
        let (source, first, second) = (solved.source, solved.first, solved.second)
        let counts = (Int(source.digits[0]), Int(source.digits[1]))
        guard topK > 0, topK <= min(counts.0 * counts.1, Kernels.largestTopK) else {
            throw CambiumError(
                .usage,
                "\(topK) picks of \(counts.0 * counts.1) experts; give 1 to "
                    + "\(min(counts.0 * counts.1, Kernels.largestTopK))")
        }
        commit = snapshot.id.hex
        layer = Int(source.layer)
        self.form = form
        lambdas = [first.lambda, second.lambda]
        let explained = [first, second].compactMap(\.explained)
        self.explained = explained.count == 2 ? explained : []
        experts = counts.0 * counts.1
        evidence = records.map(\.id.hex).sorted()
        trunk = ObjectID(source.trunk.raw).hex
        quantiser = try source.quantiser.id().hex
        texts = Set(gramSums.map(\.data))
        router = DigitRouter(
            (first.readOut, second.readOut), counts: counts, scales: source.quantiser.scales,
            topK: topK)
        var bytes: [UInt8] = []
        for readOut in [first.readOut, second.readOut] {
            bytes += readOut.encoded(names: readOut.classes.map(String.init), form.rawValue)
        }
        id = try ObjectID(ofFile: bytes).hex
    }

    /// Writes the router as a safetensors file; a file that is there is replaced.
    ///
    /// F32 `high.weight` [n, d] and `high.bias` [n], `low.weight` [m, d] and `low.bias` [m]: expert
    /// a · m + b scores `high.weight`[a] · x + `high.bias`[a] + `low.weight`[b] · x + `low.bias`[b], where x
    /// [d] is what the layer's router reads, the hidden state behind the norm in front of the experts. The
    /// metadata holds the id, the layer, the form and the ids of trunk and quantiser.
    ///
    /// - Throws: `not-found` for a missing folder, `disk-full`, `io`.
    public func save(to path: String) throws {
        var tensors: [(entry: TensorEntry, values: [Float])] = []
        for (digit, name) in ["high", "low"].enumerated() {
            let (weights, biases) = router.dense(digit: digit)
            let shape = [biases.count, weights.count / biases.count]
            tensors.append((TensorEntry(name + ".weight", TensorShape(.f32, shape)), weights))
            tensors.append((TensorEntry(name + ".bias", TensorShape(.f32, [biases.count])), biases))
        }
        let metadata = HeaderMetadata(
            entries: [
                ("id", id), ("layer", String(layer)), ("form", form.rawValue), ("trunk", trunk),
                ("quantiser", quantiser),
            ].map { HeaderMetadata.Entry(key: $0.0, value: $0.1) })
        let written = tensors
        try SafetensorsWriter.write(written.map(\.entry), metadata: metadata, to: path) {
            (index, sink: inout TensorSink) in
            try sink.append(written[index].values.littleEndianBytes.raw)
        }
    }
}

extension Store {
    /// The router that a revision's Gram sums of a layer's picks are solved to.
    ///
    /// - Parameters:
    ///   - revision: A branch, a tag or a commit.
    ///   - layer: The number of a layer with experts.
    ///   - form: How it is solved.
    ///   - topK: Experts that it picks for each token; nil for as many as a head of the layer's router.
    ///   - threads: Share the work; the bits do not depend on them.
    /// - Throws: `not-found` without such evidence; `usage` when it is over another trunk than the
    ///   revision's or made with several quantisers; `unsupported` for another architecture; `corrupt` for a record that is not one.
    /// - Complexity: Reads the records of picks, not the model.
    public func expertRouter(
        _ revision: String, layer: Int, form: ReadOutForm = .ridge, topK: Int? = nil,
        threads: Int = 1
    ) throws -> ExpertRouter {
        guard (1...1_024).contains(threads) else {
            throw CambiumError(.usage, "\(threads) threads; give 1 to 1024")
        }
        let snapshot = try map(revision)
        guard snapshot.tree.architecture == Architecture.peerLM.name,
            let file = snapshot.tree.files["config.json"]
        else {
            throw CambiumError(
                .unsupported, "\(snapshot.id.short) is no peer-lm model with a config.json")
        }
        let json = try snapshot.data(of: file)
        let config = try PeerConfig(json: json)
        let trunk = try TrunkIdentity.id(of: snapshot.tree, config, layer: layer)
        let wanted = try snapshot.evidence().filter { entry in
            guard case .gramSums(let record) = entry.record else { return false }
            return Int(record.source.layer) == layer && record.source.digits.count == 2
        }
        guard !wanted.isEmpty else {
            throw CambiumError(
                .notFound,
                "\(snapshot.id.short) has no Gram sums of picks of layer \(layer); add some: cambium "
                    + "evidence add --kind gram --target experts --layer \(layer) --adapter base "
                    + "--text FILE")
        }
        for entry in wanted {
            guard case .gramSums(let record) = entry.record else { continue }
            if let first = wanted.gramSums.first {
                try record.checkQuantiser(
                    first.source, entry.id, "evidence \(wanted[0].id.short)")
            }
            guard record.source.trunk != trunk.bytes else { continue }
            throw CambiumError(
                .usage,
                "evidence \(entry.id.short) of layer \(layer) was made over another trunk than "
                    + "\(snapshot.id.short) has: what it counted are other features; drop it, or ask the "
                    + "commit that it was added to")
        }
        return try ExpertRouter(
            snapshot, wanted, form,
            topK: topK ?? config.peer?.topK ?? config.tree?.topK ?? config.linear?.topK ?? 1,
            ThreadTeam(count: threads))
    }
}
