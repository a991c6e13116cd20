internal import Elements
internal import Evidence
internal import Objects
internal import Snapshots
internal import Tensors

/// Changes of a branch's model, made without its whole checkpoint: experts, tensors of the trunk and the
/// routers, and evidence for the gate.
///
/// Lives only inside ``Store/commit(_:patch:)``. What is put is hashed and staged at once; nothing
/// becomes visible before the commit. A put that throws leaves the patch as it was.
public struct Patch: ~Copyable {
    private struct Place: Hashable {
        let layer: UInt32
        let cohort: String
    }

    /// Ordinals that one patch may add to a cohort.
    private static let mostNewExperts = 1 << 20

    var draft: CommitDraft
    let before: Tree
    /// Ids by ordinal; ``ObjectID/zero`` removes.
    private var experts: [Place: [Int: ObjectID]] = [:]
    private var headers: [Place: ObjectHeader] = [:]
    /// Records that were added.
    var evidence: [NamedContribution] = []
    private(set) var newExperts = 0
    private(set) var nonFinite = NonFiniteCount(nan: 0, infinite: 0)

    init(_ draft: consuming CommitDraft, _ before: Tree) {
        self.draft = draft
        self.before = before
    }

    /// Replaces an expert, or adds one behind the last.
    ///
    /// - Parameters:
    ///   - ordinal: Its number in the cohort.
    ///   - layer: The number of its layer.
    ///   - cohort: The name of its cohort; a checkpoint's own pool is "base".
    ///   - bytes: Its parts one after the other, little-endian: of a neuron the down row u and then
    ///     the up row v, of a SwiGLU expert gate, up and down. Copied.
    /// - Throws: `not-found` without such a cohort, `bad-shape` when the length is not an expert's.
    public mutating func put(
        expert ordinal: Int, layer: Int, cohort: String = "base", _ bytes: RawSpan
    ) throws {
        let place = try place(layer, cohort)
        let (stored, header) = try header(place, ordinal)
        guard bytes.byteCount == header.payloadCount else {
            throw CambiumError(
                .badShape,
                "expert \(layer)/\(cohort)/\(ordinal) was given \(bytes.byteCount) bytes; its parts "
                    + "\(stored.parts) take \(header.payloadCount)")
        }
        let count = draft.newObjects
        let id = try draft.put(header, bytes)
        experts[place, default: [:]][ordinal] = id
        guard draft.newObjects > count else { return }
        newExperts += 1
        countNonFinite(bytes, stored.parts)
    }

    /// Replaces an expert, or adds one behind the last; see ``put(expert:layer:cohort:_:)``.
    public mutating func put(
        expert ordinal: Int, layer: Int, cohort: String = "base", _ bytes: [UInt8]
    ) throws {
        try put(expert: ordinal, layer: layer, cohort: cohort, bytes.raw)
    }

    /// Removes an expert; its ordinal stays empty.
    ///
    /// - Throws: `not-found` without such a cohort.
    public mutating func remove(
        expert ordinal: Int, layer: Int, cohort: String = "base"
    ) throws {
        let place = try place(layer, cohort)
        _ = try header(place, ordinal)
        experts[place, default: [:]][ordinal] = .zero
    }

    /// Replaces a tensor of the trunk or of a router by one of the same dtype and shape.
    ///
    /// - Parameters:
    ///   - name: Its name in the checkpoint.
    ///   - bytes: Row-major, little-endian. Copied.
    /// - Throws: `not-found`, `bad-shape` when the length is not the tensor's.
    public mutating func put(tensor name: String, _ bytes: RawSpan) throws {
        let entry = try tensor(named: name)
        guard bytes.byteCount == entry.shape.byteCount else {
            throw CambiumError(
                .badShape,
                "tensor \(name) was given \(bytes.byteCount) bytes; its shape is \(entry.shape)")
        }
        let count = draft.newObjects
        let stored = try draft.putTensor(entry.shape, bytes)
        if draft.newObjects > count { countNonFinite(bytes, [entry.shape]) }
        if draft.tree.trunk.tensors[name] != nil { draft.tree.trunk.tensors[name] = stored }
        for (number, layer) in draft.tree.layers {
            for (cohort, value) in layer.cohorts where value.router[name] != nil {
                draft.tree.layers[number]?.cohorts[cohort]?.router[name] = stored
            }
        }
    }

    /// Replaces a tensor of the trunk or of a router; see ``put(tensor:_:)``.
    public mutating func put(tensor name: String, _ bytes: [UInt8]) throws {
        try put(tensor: name, bytes.raw)
    }

    /// The tensor of the trunk or a router as the patch has it now.
    func tensor(named name: String) throws -> StoredTensor {
        guard let entry = entry(name) else {
            throw CambiumError(
                .notFound, "the branch's model has no tensor '\(name)' outside its experts")
        }
        return entry
    }

    /// Whether the trunk or a router has the tensor.
    func has(tensor name: String) -> Bool { entry(name) != nil }

    private func entry(_ name: String) -> StoredTensor? {
        let tree = draft.tree
        if let entry = tree.trunk.tensors[name] { return entry }
        for layer in tree.layers.values {
            for cohort in layer.cohorts.values {
                if let entry = cohort.router[name] { return entry }
            }
        }
        return nil
    }

    private func place(_ layer: Int, _ cohort: String) throws -> Place {
        guard let number = UInt32(exactly: layer) else {
            throw CambiumError(.notFound, "the branch's model has no cohort \(layer)/\(cohort)")
        }
        return Place(layer: number, cohort: cohort)
    }

    private mutating func header(
        _ place: Place, _ ordinal: Int
    ) throws -> (Cohort, ObjectHeader) {
        guard let cohort = before.layers[place.layer]?.cohorts[place.cohort] else {
            throw CambiumError(
                .notFound, "the branch's model has no cohort \(place.layer)/\(place.cohort)")
        }
        guard ordinal >= 0, ordinal < Int(UInt32.max) else {
            throw CambiumError(.usage, "\(ordinal) is not the number of an expert")
        }
        // Absent experts take room as well: a number far behind the last is a slip of the pen.
        guard UInt64(ordinal) < cohort.count + UInt64(Self.mostNewExperts) else {
            throw CambiumError(
                .badShape,
                "expert \(place.layer)/\(place.cohort)/\(ordinal) is far behind the last, "
                    + "\(Int64(cohort.count) - 1): one commit adds at most \(Self.mostNewExperts)")
        }
        if let header = headers[place] { return (cohort, header) }
        let header = try ObjectHeader(cohort.kind, cohort.parts)
        headers[place] = header
        return (cohort, header)
    }

    private mutating func countNonFinite(_ bytes: RawSpan, _ parts: [TensorShape]) {
        nonFinite = nonFinite + NonFiniteCount(bytes, parts)
    }

    /// Puts the changed arrays into the draft's tree, and gives the draft away.
    consuming func finish() throws -> CommitDraft {
        for (place, changes) in experts.sorted(by: { left, right in
            left.key.layer == right.key.layer
                ? isBefore(left.key.cohort, right.key.cohort) : left.key.layer < right.key.layer
        }) {
            guard let cohort = before.layers[place.layer]?.cohorts[place.cohort] else { continue }
            let edited = try draft.putExperts(changing: cohort.experts, changes)
            draft.tree.layers[place.layer]?.cohorts[place.cohort]?.experts = edited.root
            draft.tree.layers[place.layer]?.cohorts[place.cohort]?.count = UInt64(edited.count)
        }
        return draft
    }
}

extension NonFiniteCount {
    /// Of parts that lie one after the other.
    init(_ bytes: RawSpan, _ parts: [TensorShape]) {
        self.init(nan: 0, infinite: 0)
        var start = 0
        for part in parts {
            let length = part.byteCount ?? 0
            if let count = NonFiniteCount(
                bytes.extracting(start..<(start + length)), type: part.type)
            {
                self = self + count
            }
            start += length
        }
    }
}
