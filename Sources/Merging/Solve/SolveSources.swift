internal import Architectures
internal import Elements
internal import Evidence
internal import Models
internal import Objects
internal import Routing
internal import Snapshots

/// The models that a merge is solved from, each once, with excerpts of what each knows.
struct SolveSources {
    /// The name that stands for the merge base.
    static let baseName = "base"
    /// What texts of the base count, of 1 for a side.
    static let baseWeight = 1.5

    /// Commits with one model.
    struct Source {
        /// The first of them, mapped.
        let snapshot: MappedSnapshot
        let isBase: Bool
        /// Those of the sides among them, else `base`.
        let names: [String]
        /// Names what is merged: equal for equal models.
        let content: ObjectID
        /// By id.
        fileprivate(set) var excerpts: [ObjectID: ExcerptContribution] = [:]
    }

    /// By content.
    private(set) var all: [Source]
    /// What was learned and has no excerpts, for people.
    let notes: [String]

    /// - Parameters:
    ///   - bases: The merge bases' commits.
    ///   - sides: The sides' commits.
    ///   - names: All names of each side.
    ///   - resolve: Resolves a revision.
    /// - Throws: `usage` for a text of a name that is no source's, and for a source without excerpts.
    init(
        _ store: SnapshotStore, bases: [ObjectID], sides: [ObjectID], names: [ObjectID: [String]],
        texts: [(name: String, file: String, bytes: [UInt8])]
    ) throws {
        var sources: [Source] = []
        var places: [ObjectID: Int] = [:]
        var known: [NamedContribution] = []
        for (index, id) in (bases + sides).enumerated() {
            let snapshot = try store.map(id)
            let records = try snapshot.evidence()
            let isBase = index < bases.count
            if isBase { known += records }
            let content = try snapshot.tree.weights
            let own = isBase ? [Self.baseName] : names[id] ?? [id.short]
            var place = sources.firstIndex { $0.content == content }
            if let found = place {
                let old = sources[found]
                sources[found] = Source(
                    snapshot: old.snapshot, isBase: old.isBase, names: old.names + own,
                    content: content, excerpts: old.excerpts)
            } else {
                place = sources.count
                sources.append(
                    Source(snapshot: snapshot, isBase: isBase, names: own, content: content))
            }
            guard let place else { continue }
            places[id] = place
            for excerpts in records.excerpts {
                // What a base has, a side has not added, but it may have more of it.
                let old = sources.indices.filter {
                    sources[$0].isBase && sources[$0].has(excerpts.record.data)
                }
                for owner in isBase || old.isEmpty ? [place] : old { sources[owner].add(excerpts) }
            }
        }
        for (name, file, bytes) in texts {
            let place = try Self.place(of: name, file, store, places, sources)
            let record = try counted(.usage) {
                try ExcerptContribution(of: bytes, label: "", for: sources[place].snapshot.tree)
            }
            sources[place].give((try ObjectID(ofFile: record.encoded), record))
        }
        all = sources.sorted { $0.content < $1.content }
        let read = Set(all.filter(\.isBase).flatMap { $0.excerpts.values.map(\.data) })
        notes = Self.unread(known, read)
    }

    /// Whether fewer than two models differ from the base, so that the three-way rule is all there is to do.
    var isOneSided: Bool { all.count { !$0.isBase } < 2 }

    /// Refuses sources without excerpts.
    func check() throws {
        for source in all where source.excerpts.isEmpty {
            let name = source.names[0]
            guard source.isBase else {
                throw CambiumError(
                    .usage,
                    "side '\(name)' has no excerpts of its own, and --policy solve solves from what each side "
                        + "reads; add some, cambium evidence add --kind excerpts --branch \(name) --text FILE, or "
                        + "give them to this merge: --text \(name)=FILE")
            }
            throw CambiumError(
                .usage,
                "the merge base has no excerpts, without which what it knows would be lost; give some of "
                    + "each text that it learned from: --text \(Self.baseName)=FILE")
        }
    }

    /// What the sources' texts count together, of 1.
    func share(of source: Source) -> Double {
        let bases = Double(all.count(where: \.isBase))
        let whole = (bases > 0 ? Self.baseWeight : 0) + Double(all.count { !$0.isBase })
        return (source.isBase ? Self.baseWeight / bases : 1) / whole
    }

    private static func place(
        of name: String, _ file: String, _ store: SnapshotStore, _ places: [ObjectID: Int],
        _ sources: [Source]
    ) throws -> Int {
        if let place = sources.firstIndex(where: { $0.names.contains(name) }) { return place }
        if let id = try? store.resolve(name), let place = places[id] { return place }
        throw CambiumError(
            .usage,
            "--text \(name)=\(file) names '\(name)', which is none of what is merged: "
                + sources.flatMap(\.names).sorted(by: isBefore).joined(separator: ", "))
    }

    /// The base's other evidence, of texts of which there are no excerpts.
    private static func unread(_ known: [NamedContribution], _ read: Set<[UInt8]>) -> [String] {
        var names: Set<String> = []
        for entry in known where !read.contains(entry.record.contribution.data) {
            let (adapter, label) = (entry.record.adapter, entry.record.contribution.label)
            names.insert(label.isEmpty ? adapter : "\(adapter) (\(label))")
        }
        return names.sorted(by: isBefore).map {
            "the base has evidence of \($0) but no excerpts: what it knows of it may be lost; "
                + "--text \(baseName)=FILE gives some"
        }
    }
}

extension SolveSources.Source {
    /// Whether there are some of a text.
    fileprivate func has(_ data: [UInt8]) -> Bool { excerpts.values.contains { $0.data == data } }

    /// Adds excerpts, unless there are some that have more of the text.
    fileprivate mutating func add(_ new: NamedExcerpts) {
        let others = excerpts.filter { $0.value.data == new.record.data }
        if others.allSatisfy({ isFuller(new, than: ($0.key, $0.value)) }) { give(new) }
    }

    /// Adds excerpts in the place of those of the same text.
    fileprivate mutating func give(_ new: NamedExcerpts) {
        excerpts = excerpts.filter { $0.value.data != new.record.data }
        excerpts[new.id] = new.record
    }

    /// The excerpts' windows in tokens, by the records' ids.
    func windows(_ running: SnapshotModel) throws -> [[Int]] {
        let longest = min(SolvedMerge.longestText, running.model.description.contextLength)
        var windows: [[Int]] = []
        for (_, record) in excerpts.sorted(by: { $0.key < $1.key }) {
            for window in record.windows {
                let tokens = try running.vocabulary.tokens(
                    of: window.bytes, addsSpecialTokens: false)
                windows += stride(from: 0, to: tokens.count, by: longest).map {
                    Array(tokens[$0..<min($0 + longest, tokens.count)])
                }
            }
        }
        return windows
    }
}
