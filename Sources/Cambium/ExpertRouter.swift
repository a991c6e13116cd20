internal import Elements
internal import Models
internal import Objects
package import Routing
internal import Snapshots
internal import Tensors

/// A router over a layer's experts, solved in closed form from moments of which experts the layer's own
/// router picked: for each of the two digits of an expert's number a linear read-out.
///
/// It distils the trained router into one that merges exactly. No model runs it yet.
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
    /// Experts that it picks among.
    public let experts: Int
    /// Reads what the layer's own router reads.
    package let router: DigitRouter

    fileprivate init(
        _ snapshot: MappedSnapshot, _ records: [MomentContribution], _ form: ReadOutForm,
        topK: Int, _ team: ThreadTeam
    ) throws(StoreError) {
        let (source, first, second) = try counted(.corrupt) { () throws(EvidenceError) in
            let united = try UnitedMoments(picks: records)
            let kind: ReadOut.Form = form == .ridge ? .ridge : .discriminant
            return (
                united.source, try united.readOut(kind, digit: 0, team: team),
                try united.readOut(kind, digit: 1, team: team)
            )
        }
        let counts = (Int(source.digits[0]), Int(source.digits[1]))
        guard topK > 0, topK <= min(counts.0 * counts.1, Kernels.largestTopK) else {
            throw StoreError(
                .usage,
                "\(topK) picks of \(counts.0 * counts.1) experts; give 1 to "
                    + "\(min(counts.0 * counts.1, Kernels.largestTopK))")
        }
        commit = snapshot.id.hex
        layer = Int(source.layer)
        self.form = form
        lambdas = [first.lambda, second.lambda]
        experts = counts.0 * counts.1
        router = DigitRouter(
            (first.readOut, second.readOut), counts: counts, scales: source.quantiser.scales,
            topK: topK)
        var bytes: [UInt8] = []
        for readOut in [first.readOut, second.readOut] {
            bytes += readOut.encoded(names: readOut.classes.map(String.init), form.rawValue)
        }
        id = try Store.fileID(bytes).hex
    }
}

extension Store {
    /// The router that a revision's moments of a layer's picks are solved to.
    ///
    /// - Parameters:
    ///   - revision: A branch, a tag or a commit.
    ///   - layer: The number of a layer with experts.
    ///   - form: How it is solved.
    ///   - topK: Experts that it picks for each token.
    ///   - threads: Share the work; the bits do not depend on them.
    /// - Throws: `not-found` without such evidence; `usage` when it is over another trunk than the
    ///   revision's; `unsupported` for another architecture; `corrupt` for a record that is not one.
    /// - Complexity: Reads the records of picks, not the model.
    public func expertRouter(
        _ revision: String, layer: Int, form: ReadOutForm = .ridge, topK: Int = 16,
        threads: Int = 1
    ) throws(StoreError) -> ExpertRouter {
        guard (1...1_024).contains(threads) else {
            throw StoreError(.usage, "\(threads) threads; give 1 to 1024")
        }
        let snapshot = try map(revision)
        guard snapshot.tree.architecture == "peer-lm",
            let file = snapshot.tree.files["config.json"]
        else {
            throw StoreError(
                .unsupported, "\(snapshot.id.short) is no peer-lm model with a config.json")
        }
        let json = try carrying { () throws(SnapshotError) in
            try snapshot.object(file).payload.copy()
        }
        let config = try running { () throws(ModelError) in try PeerConfig(json: json) }
        let trunk = try carrying { () throws(SnapshotError) in
            try TrunkIdentity.id(of: snapshot.tree, config, layer: layer)
        }
        let wanted = try records(in: snapshot).filter { entry in
            guard case .moments(let record) = entry.record else { return false }
            return Int(record.source.layer) == layer && record.source.digits.count == 2
        }
        guard !wanted.isEmpty else {
            throw StoreError(
                .notFound,
                "\(snapshot.id.short) has no moments of picks of layer \(layer); add some: cambium "
                    + "evidence add --kind moments --target experts --layer \(layer) --cohort base "
                    + "--text FILE")
        }
        for entry in wanted {
            guard case .moments(let record) = entry.record, record.source.trunk != trunk.bytes
            else { continue }
            throw StoreError(
                .usage,
                "evidence \(entry.id.short) of layer \(layer) was made over another trunk than "
                    + "\(snapshot.id.short) has: what it counted are other features; drop it, or ask the "
                    + "commit that it was added to")
        }
        return try ExpertRouter(
            snapshot, wanted.moments, form, topK: topK, ThreadTeam(count: threads))
    }
}
