internal import Architectures
internal import Elements
internal import Evidence
internal import Models
internal import Objects
internal import Routing
internal import Snapshots

/// Counts of the texts that a gate tells a grown model from the one before by.
struct GrowthCounts {
    /// Records that the snapshot does not have.
    private(set) var added: [CountContribution] = []
    private let classes: [(name: String, counts: NGramCounts)]
    private let name: String

    /// - Parameters:
    ///   - name: Of the alternative that grows.
    ///   - share: Of the new domain's tokens, those that are to pick the expert.
    ///   - new: Texts of the new domain.
    ///   - old: Texts that the base answers.
    /// - Throws: `usage` for a name or share that cannot be, and without counts of old text; `exists` for a name that is
    ///   taken; `unsupported` beside alternatives whose texts were not counted.
    init(
        _ snapshot: MappedSnapshot, _ name: String, share: Double, new: [[UInt8]], old: [[UInt8]]
    ) throws {
        guard share > 0, share <= 1 else {
            throw CambiumError(
                .usage, "\(share) is no share of tokens to pick an expert; give a number up to 1")
        }
        try AdapterTensorName.check(name, "an alternative")
        let adapters = try StoredAdapters(snapshot)
        let pools = snapshot.tree.layers.values.flatMap(\.pools.keys)
        guard !adapters.names.contains(name), !pools.contains(name) else {
            throw CambiumError(
                .exists, "the model has '\(name)' already; give another name")
        }
        let known = try snapshot.evidence().counts
        let classes = Set(known.map(\.adapter))
        if let silent = adapters.alternatives.first(where: { !classes.contains($0) }) {
            throw CambiumError(
                .unsupported,
                "nothing was counted of alternative '\(silent)', so that no counts pick among them; add its text: "
                    + "cambium evidence add --adapter \(silent) --text FILE")
        }
        let mixes = snapshot.tree.files[MixtureDescription.fileName] != nil
        let order = EvidenceOrder.standard(known, mixesCounts: mixes)
        for (texts, adapter, what) in [
            (old, ExpertPool.base, "the old text"), (new, name, "the text of the new domain"),
        ] {
            for text in texts {
                let record = try CountContribution(
                    of: TextSource(text), what, adapter: adapter, label: "expert add", order: order)
                let isKnown = (known + added).contains {
                    $0.adapter == adapter && $0.data == record.data
                }
                if !isKnown { added.append(record) }
            }
        }
        guard (known + added).contains(where: { $0.adapter == ExpertPool.base }) else {
            throw CambiumError(
                .usage,
                "a gate needs counts of the text that the model is to go on answering; give it with --keep, or add them: "
                    + "cambium evidence add --adapter base --text FILE")
        }
        self.name = name
        let all = known + added
        self.classes = try counted(.corrupt) { try CountGate.classes(of: all) }
    }

    /// The class of the alternative.
    var own: Int { classes.firstIndex { $0.name == name } ?? 0 }

    /// The gate that the counts are solved to when some texts are not among them.
    ///
    /// - Parameter held: Texts of the new domain and old ones; where their sequences were not counted, as many
    ///   others of the same bytes are left out.
    func gate(
        without held: [ExpertGrowth.HeldText], _ speller: @Sendable () -> any TokenSpeller
    ) throws -> CountGate {
        let counts = try classes.map { known in
            guard known.name == name || known.name == ExpertPool.base else { return known.counts }
            var counter: NGramCounts?
            for text in held where text.isOld == (known.name == ExpertPool.base) {
                var spelled: [UInt8] = []
                var speller = speller()
                for token in text.tokens { speller.append(token, to: &spelled) }
                speller.finish(&spelled)
                let own = NGramCounts(of: spelled, order: known.counts.order)
                counter = try counter?.adding(own) ?? own
            }
            return counter.map { known.counts.subtracting($0) } ?? known.counts
        }
        return try CountGate(counts)
    }
}
