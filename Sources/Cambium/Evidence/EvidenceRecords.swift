internal import Elements
internal import Objects
package import Routing
package import Snapshots

/// How evidence is named in a tree: a file `evidence.ID`, where ID is the id of its object.
enum EvidenceName {
    static let prefix = Tree.evidencePrefix

    static func name(_ id: ObjectID) -> String { prefix + id.hex }

    /// The records of a tree, by ascending id.
    static func records(_ tree: Tree) -> [ObjectID] {
        tree.files.filter { $0.key.hasPrefix(prefix) }.map(\.value).sorted { $0.hex < $1.hex }
    }
}

/// A record of evidence, of whatever kind.
enum EvidenceRecord: Sendable {
    case counts(CountContribution)
    case moments(MomentContribution)
    case use(UseContribution)
    case routes(RouteContribution)

    /// - Throws: `.badInput` for bytes that are no record.
    init(decoding bytes: [UInt8]) throws {
        if bytes.starts(with: MomentContribution.magic) {
            self = .moments(try MomentContribution(decoding: bytes))
        } else if bytes.starts(with: UseContribution.magic) {
            self = .use(try UseContribution(decoding: bytes))
        } else if bytes.starts(with: RouteContribution.magic) {
            self = .routes(try RouteContribution(decoding: bytes))
        } else {
            self = .counts(try CountContribution(decoding: bytes))
        }
    }

    var encoded: [UInt8] {
        switch self {
        case .counts(let record): record.encoded
        case .moments(let record): record.encoded
        case .use(let record): record.encoded
        case .routes(let record): record.encoded
        }
    }
}

/// A record of evidence and the id of its object.
typealias NamedContribution = (id: ObjectID, record: EvidenceRecord)

extension [NamedContribution] {
    /// The records of n-gram counts.
    var counts: [CountContribution] {
        compactMap { if case .counts(let record) = $0.record { record } else { nil } }
    }

    /// The records of moments, of all layers.
    var moments: [MomentContribution] {
        compactMap { if case .moments(let record) = $0.record { record } else { nil } }
    }

    /// The records of what experts are used for.
    var use: [UseContribution] {
        compactMap { if case .use(let record) = $0.record { record } else { nil } }
    }
}

extension CommitDraft {
    /// Stages a record of evidence and lists it in the tree; one that is there already stays.
    mutating func add(_ evidence: EvidenceRecord) throws -> ObjectID {
        let bytes = evidence.encoded
        let id = try put(.file, bytes)
        tree.files[EvidenceName.name(id)] = id
        return id
    }
}

extension Patch {
    /// Adds evidence for the gate, in the same commit as what else the patch changes.
    ///
    /// A record that the branch has already is one record.
    ///
    /// - Parameters:
    ///   - text: At least `order` bytes.
    ///   - cohort: The class; "base" for what the base model learned.
    ///   - label: Which round or data it is, for people.
    ///   - order: Bytes in an n-gram, 1 to 8.
    /// - Throws: `usage` for a text or name that cannot be.
    public mutating func addEvidence(
        _ text: [UInt8], cohort: String, label: String = "", order: Int = 3
    ) throws {
        try addEvidence(Store.count(TextSource(text), "the text", cohort, label, order))
    }

    /// Adds a record of evidence that was counted elsewhere.
    package mutating func addEvidence(_ record: CountContribution) throws {
        let id = try draft.add(.counts(record))
        evidence.append((id, .counts(record)))
    }

    /// Adds a record of what experts are used for.
    package mutating func addEvidence(_ record: UseContribution) throws {
        let id = try draft.add(.use(record))
        evidence.append((id, .use(record)))
    }

    /// Adds a record of moments that was made elsewhere, over this branch's trunk.
    package mutating func addEvidence(_ record: MomentContribution) throws {
        let id = try draft.add(.moments(record))
        evidence.append((id, .moments(record)))
    }
}

extension Store {
    /// The gate that a mapped snapshot's evidence is solved to; nil without evidence.
    ///
    /// `gate.solved` picks among the classes `gate.cohorts`.
    ///
    /// - Throws: `corrupt` for a record that is not one.
    /// - Complexity: Reads and adds all records.
    package func gate(of snapshot: MappedSnapshot) throws -> Gate? {
        try Gate(snapshot.id.hex, records(in: snapshot).counts)
    }

    /// The record of one text.
    ///
    /// - Throws: `usage` for a text shorter than `order`, an order that cannot be, or a bad name.
    static func count(
        _ text: TextSource, _ what: String, _ cohort: String, _ label: String, _ order: Int
    ) throws -> CountContribution {
        guard (1...8).contains(order) else {
            throw CambiumError(.usage, "n-grams of \(order) bytes; give 1 to 8")
        }
        guard text.count >= order else {
            throw CambiumError(
                .usage,
                "\(what) has \(text.count) bytes; evidence of \(order)-grams needs \(order) at least"
            )
        }
        var counter = NGramCounter(order: order)
        let data = try fileID(of: text) { counter.add($0) }.bytes
        return try counted(.usage) {
            try CountContribution(
                cohort: cohort, label: label, data: data, byteCount: UInt64(text.count),
                counts: counter.counts)
        }
    }

    /// The id that a text's bytes would have as a file.
    ///
    /// - Parameter each: Called with the text, part by part.
    private static func fileID(
        of text: TextSource, each: ([UInt8]) -> Void
    ) throws -> ObjectID {
        let header = try ObjectHeader(.file, byteCount: text.count)
        return try header.id { part in
            let length = 1 << 20
            for start in stride(from: 0, to: text.count, by: length) {
                let bytes = try text.bytes(start..<min(start + length, text.count))
                part(bytes.raw)
                each(bytes)
            }
        }
    }

    func records(in snapshot: MappedSnapshot) throws -> [NamedContribution] {
        var records: [NamedContribution] = []
        for id in EvidenceName.records(snapshot.tree) {
            guard snapshot.tree.files[EvidenceName.name(id)] == id else {
                throw CambiumError(
                    .corrupt,
                    "the evidence in object \(id.short) has another object's name: another program "
                        + "wrote it; revert the commit that added it")
            }
            let bytes = try snapshot.data(of: id)
            let record = try counted(.corrupt) {
                try EvidenceRecord(decoding: bytes)
            }
            records.append((id, record))
        }
        return records
    }

    static func fileID(_ bytes: [UInt8]) throws -> ObjectID {
        try ObjectID(ofFile: bytes)
    }
}

/// Runs what may fail on evidence.
func counted<Result>(
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
