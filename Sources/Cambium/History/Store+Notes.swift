internal import Objects
internal import Snapshots

/// What became known of a commit after it was made.
public struct NoteInfo: Sendable, Encodable {
    /// The note's id: of its content.
    public let id: String
    /// The commit that it is about.
    public let commit: String
    /// Seconds since 1970-01-01 00:00 UTC.
    public let time: Int64
    /// Who wrote it.
    public let author: String
    /// In words; empty for figures alone.
    public let text: String
    /// Numbers by name.
    public let metrics: [String: Double]
    /// Names of the curves that it has; see ``Store/curve(_:named:)``.
    public let curves: [String]
}

/// A value at a step of training.
public struct CurvePoint: Sendable, Hashable, Codable {
    /// Steps of the optimiser.
    public let step: Int
    /// For example bits per byte.
    public let value: Double
}

extension Store {
    /// Adds a note to a commit, whose id stays.
    ///
    /// Notes are a set of immutable records: the same note twice is one.
    ///
    /// - Returns: The note.
    /// - Throws: `usage` for a note that says nothing, or more than 64 KiB.
    @discardableResult
    public func addNote(
        to revision: String, text: String = "", metrics: [String: Double] = [:],
        _ signature: Signature = .current
    ) throws -> NoteInfo {
        let note = Note(
            commit: try id(revision), time: signature.time, author: signature.author, text: text,
            metrics: metrics)
        try snapshots.add(note)
        return NoteInfo(note)
    }

    /// The notes of a commit, the oldest first.
    public func notes(of revision: String) throws -> [NoteInfo] {
        try snapshots.notes(of: try id(revision)).map { NoteInfo($0) }
    }

    /// Unites the notes with those of another store, as far as their commits are in this one.
    ///
    /// Notes are sets, so the order of stores does not matter, and twice is once.
    ///
    /// - Parameter path: The other store's directory, which is only read.
    /// - Returns: How many were new here.
    @discardableResult
    public func uniteNotes(with path: String) throws -> Int {
        try snapshots.uniteNotes(with: try SnapshotStore.open(path, readOnly: true))
    }

    /// Removes a note.
    ///
    /// - Parameters:
    ///   - note: The first digits of its id.
    ///   - revision: The commit that it is of.
    /// - Returns: Its id.
    /// - Throws: `not-found`, `ambiguous`.
    @discardableResult
    public func dropNote(_ note: String, of revision: String) throws -> String {
        try snapshots.dropNote(note, of: try id(revision)).hex
    }

    /// A curve that was kept with a commit, for example the loss of its training; empty without one.
    ///
    /// - Parameters:
    ///   - revision: The commit.
    ///   - name: `train.loss` is bits per byte, each value the mean since the point before.
    public func curve(
        _ revision: String, named name: String = "train.loss"
    ) throws -> [CurvePoint] {
        try snapshots.curve(of: try id(revision), named: name).map {
            CurvePoint(step: Int(clamping: $0.step), value: $0.value)
        }
    }
}

extension NoteInfo {
    init(_ note: Note) {
        self.init(
            id: note.id.hex, commit: note.commit.hex, time: note.time, author: note.author,
            text: note.text, metrics: note.metrics, curves: note.series.keys.sorted(by: isBefore))
    }
}
