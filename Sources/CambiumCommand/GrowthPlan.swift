internal import Cambium

/// What `--grow auto` makes of some texts: a round for what is like nothing known, one for each cohort that
/// knows a part, and none for what the base knows.
struct GrowthPlan {
    /// One round.
    struct Part {
        /// The cohort that knows these texts; nil when nothing does.
        let cohort: String?
        /// What each text has of it, one after another.
        var texts: [TrainingFiles.Text]
        /// What the evidence says of the first stretch.
        let familiarity: Familiarity
    }

    /// The rounds: what is novel first, then by the cohorts' names.
    private(set) var parts: [Part] = []
    /// What the evidence says of a stretch that the base knows; nil without such.
    private(set) var known: Familiarity?
    /// Bytes that the base knows.
    private(set) var knownBytes = 0
    /// The model's cohorts.
    private(set) var cohorts: [String] = []

    /// Asks of each stretch of each text what is known of it.
    init(_ texts: [TrainingFiles.Text], _ store: Store, _ revision: String) throws {
        for text in texts {
            var own: [(cohort: String?, bytes: [UInt8], familiarity: Familiarity)] = []
            for stretch in try store.stretches(of: text.bytes, to: revision) {
                let found = stretch.familiarity
                cohorts = found.cohorts
                guard found.isNovel || found.cohorts.contains(found.nearest) else {
                    known = known ?? found
                    knownBytes += stretch.range.count
                    continue
                }
                let cohort = found.isNovel ? nil : found.nearest
                let bytes = text.bytes[stretch.range]
                if let index = own.firstIndex(where: { $0.cohort == cohort }) {
                    own[index].bytes += bytes
                } else {
                    own.append((cohort, Array(bytes), found))
                }
            }
            for (cohort, bytes, familiarity) in own {
                let part = TrainingFiles.Text(name: text.name, bytes: bytes)
                if let index = parts.firstIndex(where: { $0.cohort == cohort }) {
                    parts[index].texts.append(part)
                } else {
                    parts.append(Part(cohort: cohort, texts: [part], familiarity: familiarity))
                }
            }
        }
        parts.sort { ($0.cohort ?? "") < ($1.cohort ?? "") }
    }
}
