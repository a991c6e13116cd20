internal import Elements
package import Evidence
package import Objects
internal import Routing
package import Snapshots
internal import Tensors

/// Changes of a branch's model, made without its whole checkpoint: experts, tensors of the trunk and the
/// routers, and records.
///
/// What is put is hashed and staged at once; nothing becomes visible before the commit. A put that throws
/// leaves the patch as it was.
package struct ModelPatch: ~Copyable {
    private struct Place: Hashable {
        let layer: UInt32
        let pool: String
    }

    /// Ordinals that one patch may add to a pool.
    private static let mostNewExperts = 1 << 20

    package let target: CommitTarget
    package let before: Tree
    package var draft: CommitDraft
    /// Ids by ordinal; ``ObjectID/zero`` removes.
    private var experts: [Place: [Int: ObjectID]] = [:]
    private var headers: [Place: ObjectHeader] = [:]
    /// Records that were added.
    private var evidence: [NamedContribution] = []
    private var newExperts = 0
    private var nonFinite = NonFiniteCount(nan: 0, infinite: 0)

    /// - Throws: `not-found` for a branch without a model.
    package init(_ target: CommitTarget) throws {
        let before = try target.model().before
        let draft = try CommitDraft(target.store, tree: before)
        self.target = target
        self.before = before
        self.draft = draft
    }

    /// Replaces an expert, or adds one behind the last.
    ///
    /// - Parameters:
    ///   - ordinal: Its number in the pool.
    ///   - layer: The number of its layer.
    ///   - pool: The name of its pool; a checkpoint's own pool is "base".
    ///   - bytes: Its parts one after the other, little-endian: of a neuron the down row u and then
    ///     the up row v, of a SwiGLU expert gate, up and down. Copied.
    ///   - known: Its id and what ``CommitDraft/copies`` has of it, when that was found out already.
    /// - Throws: `not-found` without such a pool, `bad-shape` when the length is not an expert's.
    package mutating func put(
        expert ordinal: Int, layer: Int, pool: String = ExpertPool.base, _ bytes: RawSpan,
        known: PreparedObject? = nil
    ) throws {
        let place = try place(layer, pool)
        let (stored, header) = try header(place, ordinal)
        guard bytes.byteCount == header.payloadCount else {
            throw CambiumError(
                .badShape,
                "expert \(layer)/\(pool)/\(ordinal) was given \(bytes.byteCount) bytes; its parts "
                    + "\(stored.parts) take \(header.payloadCount)")
        }
        if stored.kind == .row, bytes.isZero {
            experts[place, default: [:]][ordinal] = .zero
            return
        }
        let count = draft.newObjects
        let version = try known == nil ? draft.version(ofArray: stored.experts, ordinal) : nil
        let id = try draft.put(header, bytes, known, after: version)
        experts[place, default: [:]][ordinal] = id
        guard draft.newObjects > count else { return }
        newExperts += 1
        nonFinite = nonFinite + NonFiniteCount(bytes, stored.parts)
    }

    package mutating func put(
        expert ordinal: Int, layer: Int, pool: String = ExpertPool.base, _ bytes: [UInt8]
    ) throws {
        try put(expert: ordinal, layer: layer, pool: pool, bytes.raw)
    }

    /// Removes an expert; its ordinal stays empty.
    ///
    /// - Throws: `not-found` without such a pool.
    package mutating func remove(
        expert ordinal: Int, layer: Int, pool: String = ExpertPool.base
    ) throws {
        let place = try place(layer, pool)
        _ = try header(place, ordinal)
        experts[place, default: [:]][ordinal] = .zero
    }

    /// Replaces a tensor of the trunk or of a router by one of the same dtype and shape.
    ///
    /// - Parameters:
    ///   - name: Its name in the checkpoint.
    ///   - bytes: Row-major, little-endian. Copied.
    ///   - known: Its id and what ``CommitDraft/copies`` has of it, when that was found out already.
    /// - Throws: `not-found`, `bad-shape` when the length is not the tensor's.
    package mutating func put(
        tensor name: String, _ bytes: RawSpan, known: PreparedObject? = nil
    ) throws {
        let entry = try tensor(named: name)
        guard bytes.byteCount == entry.shape.byteCount else {
            throw CambiumError(
                .badShape,
                "tensor \(name) was given \(bytes.byteCount) bytes; its shape is \(entry.shape)")
        }
        let count = draft.newObjects
        let id = try draft.put(
            ObjectHeader(.tensor, [entry.shape]), bytes, known, after: .object(entry.id))
        let stored = StoredTensor(shape: entry.shape, id: id)
        if draft.newObjects > count {
            nonFinite = nonFinite + NonFiniteCount(bytes, [entry.shape])
        }
        if draft.tree.trunk.tensors[name] != nil { draft.tree.trunk.tensors[name] = stored }
        for (number, layer) in draft.tree.layers {
            for (pool, value) in layer.pools where value.router[name] != nil {
                draft.tree.layers[number]?.pools[pool]?.router[name] = stored
            }
        }
    }

    package mutating func put(tensor name: String, _ bytes: [UInt8]) throws {
        try put(tensor: name, bytes.raw)
    }

    /// The tensor of the trunk or a router as the patch has it now.
    package func tensor(named name: String) throws -> StoredTensor {
        guard let entry = draft.tree.tensor(named: name) else { throw Self.noTensor(name) }
        return entry
    }

    static func noTensor(_ name: String) -> CambiumError {
        CambiumError(.notFound, "the branch's model has no tensor '\(name)' outside its experts")
    }

    private func place(_ layer: Int, _ pool: String) throws -> Place {
        guard let number = UInt32(exactly: layer) else {
            throw CambiumError(.notFound, "the branch's model has no pool \(layer)/\(pool)")
        }
        return Place(layer: number, pool: pool)
    }

    private mutating func header(
        _ place: Place, _ ordinal: Int
    ) throws -> (ExpertPool, ObjectHeader) {
        guard let pool = before.layers[place.layer]?.pools[place.pool] else {
            throw CambiumError(
                .notFound, "the branch's model has no pool \(place.layer)/\(place.pool)")
        }
        guard ordinal >= 0, ordinal < Int(UInt32.max) else {
            throw CambiumError(.usage, "\(ordinal) is not the number of an expert")
        }
        // Absent experts take room as well: a number far behind the last is a slip of the pen.
        guard UInt64(ordinal) < pool.count + UInt64(Self.mostNewExperts) else {
            throw CambiumError(
                .badShape,
                "expert \(place.layer)/\(place.pool)/\(ordinal) is far behind the last, "
                    + "\(Int64(pool.count) - 1): one commit adds at most \(Self.mostNewExperts)")
        }
        if let header = headers[place] { return (pool, header) }
        let header = try ObjectHeader(pool.kind, pool.parts)
        headers[place] = header
        return (pool, header)
    }

    /// Adds a record of evidence; one that the branch has already is one record.
    package mutating func add(_ record: EvidenceRecord) throws {
        evidence.append((try draft.add(record), record))
    }

    /// Commits what was put.
    ///
    /// - Throws: `unfit` when adapters were trained on what changes, unless the request takes it; `branch-moved`
    ///   when another writer was faster; what solving a gate from the evidence throws.
    package consuming func commit(_ request: CommitRequest) throws -> CommittedModel {
        if !evidence.isEmpty || !request.excerpts.isEmpty, let parent = target.parent {
            let known = try target.store.map(parent).evidence()
            evidence += try draft.add(request.excerpts, known + evidence)
            let added = evidence.filter { new in !known.contains { $0.id == new.id } }
            _ = try EvidenceGate((known + added).counts)
        }
        for (place, changes) in experts.sorted(by: { left, right in
            left.key.layer == right.key.layer
                ? isBefore(left.key.pool, right.key.pool) : left.key.layer < right.key.layer
        }) {
            guard let pool = before.layers[place.layer]?.pools[place.pool] else { continue }
            let edited = try draft.putExperts(changing: pool.experts, changes)
            draft.tree.layers[place.layer]?.pools[place.pool]?.replace(by: edited)
        }
        let (target, newExperts, nonFinite) = (target, newExperts, nonFinite)
        return try target.commit(
            fitting: draft, request, newExperts: newExperts, nonFinite: nonFinite)
    }
}
