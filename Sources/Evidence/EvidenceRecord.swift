package import Elements
package import Objects
package import Routing
package import Snapshots

/// How evidence is named in a tree: a file `evidence.ID`, where ID is the id of its object.
package enum EvidenceName {
    package static let prefix = Tree.evidencePrefix

    package static func name(_ id: ObjectID) -> String { prefix + id.hex }

    /// The records of a tree, by ascending id.
    package static func records(_ tree: Tree) -> [ObjectID] {
        tree.files.filter { $0.key.hasPrefix(prefix) }.map(\.value).sorted { $0.hex < $1.hex }
    }
}

/// What records of all kinds have.
package protocol TextContribution: Sendable {
    /// The kind, in a word.
    static var kind: String { get }
    var label: String { get }
    /// Names the text, 32 bytes.
    var data: [UInt8] { get }
    /// Bytes of the text.
    var byteCount: UInt64 { get }
    var encoded: [UInt8] { get }
}

extension CountContribution: TextContribution {
    package static var kind: String { "counts" }
}

extension GramContribution: TextContribution {
    package static var kind: String { "gram" }
}

extension ActivationContribution: TextContribution {
    package static var kind: String { "activations" }
}

extension RouteContribution: TextContribution {
    package static var kind: String { "routes" }
}

extension StateContribution: TextContribution {
    package static var kind: String { "states" }
}

extension ExcerptContribution: TextContribution {
    package static var kind: String { "excerpts" }
}

/// A record of evidence, of whatever kind.
package enum EvidenceRecord: Sendable {
    case counts(CountContribution)
    case gramSums(GramContribution)
    case activations(ActivationContribution)
    case routes(RouteContribution)
    case states(StateContribution)
    case excerpts(ExcerptContribution)

    /// - Throws: `.badInput` for bytes that are no record.
    package init(decoding bytes: [UInt8]) throws {
        if bytes.starts(with: GramContribution.magic) {
            self = .gramSums(try GramContribution(decoding: bytes))
        } else if bytes.starts(with: ActivationContribution.magic) {
            self = .activations(try ActivationContribution(decoding: bytes))
        } else if bytes.starts(with: RouteContribution.magic) {
            self = .routes(try RouteContribution(decoding: bytes))
        } else if bytes.starts(with: StateContribution.magic) {
            self = .states(try StateContribution(decoding: bytes))
        } else if bytes.starts(with: ExcerptContribution.magic) {
            self = .excerpts(try ExcerptContribution(decoding: bytes))
        } else {
            self = .counts(try CountContribution(decoding: bytes))
        }
    }

    package var contribution: any TextContribution {
        switch self {
        case .counts(let record): record
        case .gramSums(let record): record
        case .activations(let record): record
        case .routes(let record): record
        case .states(let record): record
        case .excerpts(let record): record
        }
    }

    package var encoded: [UInt8] { contribution.encoded }

    /// The adapter that the record's text belongs to.
    package var adapter: String {
        switch self {
        case .counts(let record): record.adapter
        case .gramSums(let record): record.adapter
        case .activations(let record): record.adapter
        // Kept is what the whole model does on the text, so it is the base's.
        case .routes, .states, .excerpts: ExpertPool.base
        }
    }
}

/// A record of evidence and the id of its object.
package typealias NamedContribution = (id: ObjectID, record: EvidenceRecord)

extension [NamedContribution] {
    /// The records of n-gram counts.
    package var counts: [CountContribution] {
        compactMap { if case .counts(let record) = $0.record { record } else { nil } }
    }

    /// The records of Gram sums, of all layers.
    package var gramSums: [GramContribution] {
        compactMap { if case .gramSums(let record) = $0.record { record } else { nil } }
    }

    /// The records of what experts are used for.
    package var activations: [ActivationContribution] {
        compactMap { if case .activations(let record) = $0.record { record } else { nil } }
    }
}

extension [NamedContribution] {
    /// The records of excerpts, of each text the one that has most of it.
    package var excerpts: [NamedExcerpts] {
        var best: [[UInt8]: NamedExcerpts] = [:]
        for entry in self {
            guard case .excerpts(let record) = entry.record else { continue }
            let named = (entry.id, record)
            if let other = best[record.data], !isFuller(named, than: other) { continue }
            best[record.data] = named
        }
        return best.values.sorted { $0.id < $1.id }
    }
}

/// A record of excerpts and the id of its object.
package typealias NamedExcerpts = (id: ObjectID, record: ExcerptContribution)

/// Whether a record has more of a text than another, of equal ones whether it has the lower id.
package func isFuller(_ one: NamedExcerpts, than other: NamedExcerpts) -> Bool {
    let (bytes, others) = (one.record.excerptBytes, other.record.excerptBytes)
    return bytes == others ? one.id < other.id : bytes > others
}

extension [NamedContribution] {
    /// By adapter, then label and id.
    package func sortedByAdapter() -> Self {
        sorted { left, right in
            let names = [left, right].map {
                [$0.record.adapter, $0.record.contribution.label, $0.id.hex]
            }
            let first = zip(names[0], names[1]).first { $0 != $1 }
            return first.map { isBefore($0, $1) } ?? false
        }
    }
}

extension CommitDraft {
    /// Stages a record of evidence and lists it in the tree; one that is there already stays.
    package mutating func add(_ evidence: EvidenceRecord) throws -> ObjectID {
        let bytes = evidence.encoded
        let id = try put(.file, bytes)
        tree.files[EvidenceName.name(id)] = id
        return id
    }
}

extension MappedSnapshot {
    /// The records of evidence, by ascending id.
    ///
    /// - Throws: `corrupt` for a record that is not one.
    package func evidence() throws -> [NamedContribution] {
        try EvidenceName.records(tree).map { id in
            guard tree.files[EvidenceName.name(id)] == id else {
                throw CambiumError(
                    .corrupt,
                    "the evidence in object \(id.short) has another object's name: another program "
                        + "wrote it; revert the commit that added it")
            }
            let bytes = try data(of: id)
            return (id, try counted(.corrupt) { try EvidenceRecord(decoding: bytes) })
        }
    }
}

/// Runs what may fail on evidence.
package func counted<Result>(
    _ code: CambiumError.Code, _ body: () throws -> Result
) throws -> Result {
    do {
        return try body()
    } catch let error as CambiumError where error.isOfEvidence {
        guard error.code == .badInput else {
            throw CambiumError(.usage, error.message, cause: error)
        }
        let hint =
            code == .corrupt
            ? ": damaged, or written by another program; revert the commit that added it" : ""
        throw CambiumError(code, error.message + hint, cause: error)
    }
}
