internal import Cambium

/// What `--grow auto` makes of some texts: a round for what is like nothing known, one for each adapter that
/// knows a part, and none for what the base knows.
struct GrowthPlan {
    /// One round.
    struct Part {
        /// The adapter that knows these texts; nil when nothing does.
        let adapter: String?
        /// What each text has of it, one after another.
        var texts: [TrainingFiles.Text]
        /// What the evidence says of the first stretch.
        let familiarity: Familiarity
    }

    /// The rounds: what is novel first, then by the adapters' names.
    private(set) var parts: [Part] = []
    /// What the evidence says of a stretch that the base knows; nil without such.
    private(set) var known: Familiarity?
    /// Bytes that the base knows.
    private(set) var knownBytes = 0
    /// The model's adapters.
    private(set) var adapters: [String] = []

    /// Asks of each stretch of each text what is known of it.
    init(_ texts: [TrainingFiles.Text], _ store: Store, _ revision: String) throws {
        for text in texts {
            var own: [(adapter: String?, bytes: [UInt8], familiarity: Familiarity)] = []
            for stretch in try store.stretches(of: text.bytes, to: revision) {
                let found = stretch.familiarity
                adapters = found.adapters
                guard found.isNovel || found.adapters.contains(found.nearest) else {
                    known = known ?? found
                    knownBytes += stretch.range.count
                    continue
                }
                let adapter = found.isNovel ? nil : found.nearest
                let bytes = text.bytes[stretch.range]
                if let index = own.firstIndex(where: { $0.adapter == adapter }) {
                    own[index].bytes += bytes
                } else {
                    own.append((adapter, Array(bytes), found))
                }
            }
            for (adapter, bytes, familiarity) in own {
                let part = TrainingFiles.Text(name: text.name, bytes: bytes)
                if let index = parts.firstIndex(where: { $0.adapter == adapter }) {
                    parts[index].texts.append(part)
                } else {
                    parts.append(Part(adapter: adapter, texts: [part], familiarity: familiarity))
                }
            }
        }
        parts.sort { ($0.adapter ?? "") < ($1.adapter ?? "") }
    }
}
