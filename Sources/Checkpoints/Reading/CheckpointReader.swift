package import Elements
package import Objects
package import Snapshots
internal import Synchronization

/// Reads a mapped snapshot by the names of its checkpoint's tensors, in place where the bytes lie so.
package final class CheckpointReader: Sendable {
    /// Bytes of a tensor or an expert.
    package struct View: Sendable {
        /// They stay as long as this value.
        package let bytes: MappedBytes
        package let shape: TensorShape
        /// Whether they lie in the store's map; else they are in memory of their own: experts that a tensor stacks,
        /// what is kept compressed, and what is kept as its difference from another version.
        package let isMapped: Bool
    }

    package let snapshot: MappedSnapshot
    package let tensors: CheckpointTensors
    private let experts: [MappedExperts]
    private let positions: [String: Int]
    /// Tensors that were found in the map, where they stay: a host asks again for what it has had.
    private let found = Mutex<[ObjectID: StoredObject]>([:])

    /// - Throws: `unsupported` for a model without a checkpoint's layout, or with experts that it has no place for.
    /// - Complexity: O(tensors); nothing of the weights is read.
    package init(_ snapshot: MappedSnapshot, _ store: SnapshotStore) throws {
        guard let layout = try store.layout(of: snapshot.tree) else {
            throw CambiumError(
                .unsupported, "this model has no checkpoint layout, so its tensors have no names")
        }
        let tensors = try CheckpointTensors(
            snapshot.tree, layout, absent: store.absentOrdinals)
        var positions: [String: Int] = [:]
        positions.reserveCapacity(tensors.assemblies.count)
        for (position, tensor) in tensors.assemblies.enumerated() {
            positions[tensor.name] = position
        }
        self.snapshot = snapshot
        self.tensors = tensors
        self.positions = positions
        experts = try tensors.experts(in: snapshot)
    }

    /// A tensor, or some of its rows: what its first dimension counts.
    ///
    /// - Parameters:
    ///   - rows: Nil for all of it.
    ///   - checks: Whether what is read is checked against its names; of an expert all of its parts are read then.
    /// - Throws: `not-found` for a tensor or for rows that are not there; `bad-shape` for rows that do not fill bytes;
    ///   `corrupt`.
    package func tensor(
        _ name: String, rows: Range<Int>? = nil, checks: Bool = false
    ) throws -> View {
        let (shape, place) = try place(name, rows, checks)
        switch place {
        case .one(let piece):
            return View(bytes: piece.bytes, shape: shape, isMapped: piece.isMapped)
        case .stacked(let experts, let ordinals, let range):
            let bytes = try Self.stacked(experts, ordinals, range, checks)
            return View(bytes: bytes, shape: shape, isMapped: false)
        }
    }

    /// The same, copied to memory from beside the map, which is not touched.
    ///
    /// - Throws: As above; `bad-shape` for memory of another length.
    package func read(
        _ name: String, rows: Range<Int>? = nil, into memory: inout MutableRawSpan
    ) throws {
        let (shape, place) = try place(name, rows, false)
        guard shape.byteCount == memory.byteCount else {
            throw CambiumError(
                .badShape,
                "\(quoted(name)) takes \(shape.byteCount ?? 0) bytes; there is memory for \(memory.byteCount)"
            )
        }
        switch place {
        case .one(let piece): try copy(piece, to: &memory)
        case .stacked(let experts, let ordinals, let range):
            for (position, ordinal) in ordinals.enumerated() {
                let object = try Self.expert(ordinal, experts, false)
                let start = position * range.count
                var part = memory._mutatingExtracting(start..<start + range.count)
                try copy(Piece(object.payload.slice(range), object.isMapped), to: &part)
            }
        }
    }

    private func copy(_ piece: Piece, to memory: inout MutableRawSpan) throws {
        if piece.isMapped {
            try snapshot.copy(from: piece.bytes.address, into: &memory)
        } else {
            memory.replace(at: 0, by: piece.bytes.bytes)
        }
    }

    /// Bytes of one object.
    private struct Piece {
        let bytes: MappedBytes
        let isMapped: Bool

        init(_ bytes: MappedBytes, _ isMapped: Bool) {
            self.bytes = bytes
            self.isMapped = isMapped
        }
    }

    /// Where bytes are.
    private enum Place {
        case one(Piece)
        /// The same part of some experts, one after the other.
        case stacked(MappedExperts, Range<Int>, Range<Int>)
    }

    /// The shape of a tensor or of some of its rows, and where they are.
    private func place(
        _ name: String, _ rows: Range<Int>?, _ checks: Bool
    ) throws -> (TensorShape, Place) {
        guard let position = positions[name] else {
            throw CambiumError(.notFound, "the model has no tensor \(quoted(name))")
        }
        let assembly = tensors.assemblies[position]
        let (shape, bytes) = try part(of: assembly, rows)
        switch assembly.source {
        case .whole:
            guard let entry = tensors.stored[name] else {
                throw CambiumError(.corrupt, "tensor \(quoted(name)) is missing")
            }
            let object = try object(entry.id)
            if checks { try object.check() }
            guard object.header.parts == [entry.shape] else {
                throw CambiumError(
                    .corrupt,
                    "tensor \(quoted(name)) is \(object.header.parts), not \(entry.shape); run "
                        + "`cambium verify`")
            }
            return (shape, .one(Piece(object.payload.slice(bytes), object.isMapped)))
        case .experts(let pool, let ordinals, let range):
            guard tensors.pools[pool].tensors.contains(where: { $0.stacked && $0.template == name })
            else {
                let object = try Self.expert(ordinals.lowerBound, experts[pool], checks)
                let slice = object.payload.slice(range)
                return (shape, .one(Piece(slice.slice(bytes), object.isMapped)))
            }
            return (shape, .stacked(experts[pool], rows ?? ordinals, range))
        }
    }

    private func object(_ id: ObjectID) throws -> StoredObject {
        if let known = found.withLock({ $0[id] }) { return known }
        let object = try snapshot.object(id)
        if object.isMapped { found.withLock { $0[id] = object } }
        return object
    }

    /// The shape of some rows, and where they lie in a tensor's bytes.
    private func part(
        of assembly: TensorAssembly, _ rows: Range<Int>?
    ) throws -> (TensorShape, Range<Int>) {
        let shape = assembly.shape
        guard let total = shape.byteCount else {
            throw CambiumError(.corrupt, "tensor \(quoted(assembly.name)) is \(shape)")
        }
        guard let rows else { return (shape, 0..<total) }
        guard let count = shape.dimensions.first else {
            throw CambiumError(
                .badShape, "tensor \(quoted(assembly.name)) is \(shape) and has no rows")
        }
        guard rows.lowerBound >= 0, rows.upperBound <= count else {
            throw CambiumError(
                .notFound,
                "tensor \(quoted(assembly.name)) is \(shape) and has no rows \(rows.lowerBound) to "
                    + "\(rows.upperBound)")
        }
        let part = TensorShape(shape.type, [rows.count] + shape.dimensions.dropFirst())
        let row = TensorShape(shape.type, Array(shape.dimensions.dropFirst()))
        guard let size = row.byteCount else {
            throw CambiumError(
                .badShape,
                "a row of \(quoted(assembly.name)), which is \(shape), does not fill whole bytes; read all of it"
            )
        }
        return (part, rows.lowerBound * size..<rows.upperBound * size)
    }

    /// Copied on all cores.
    private static func stacked(
        _ experts: MappedExperts, _ ordinals: Range<Int>, _ range: Range<Int>, _ checks: Bool
    ) throws -> MappedBytes {
        try MappedBytes(count: ordinals.count * range.count, zeroed: false) {
            (bytes: inout MutableRawSpan) throws in
            try bytes.fill(ordinals.count, of: range.count) { position in
                try expert(ordinals.lowerBound + position, experts, checks).payload.slice(range)
            }
        }
    }

    private static func expert(
        _ ordinal: Int, _ experts: MappedExperts, _ checks: Bool
    ) throws -> StoredObject {
        try checks ? experts.checked(ordinal) : experts.expert(ordinal)
    }

    /// An expert's parts one after the other, in place.
    ///
    /// - Throws: `not-found` for a pool or an expert that is not there, `corrupt`.
    package func expert(
        _ ordinal: Int, layer: Int, pool: String, checks: Bool = false
    ) throws -> (id: ObjectID, view: View) {
        let experts = try self.experts(layer: layer, pool: pool)
        guard ordinal >= 0, ordinal < experts.count else {
            throw CambiumError(
                .notFound,
                "there is no expert \(ordinal) in \(layer)/\(pool), which has \(experts.count)")
        }
        try experts.checkPresent(ordinal)
        let object = try Self.expert(ordinal, experts, checks)
        return (
            object.id,
            View(
                bytes: object.payload, shape: TensorShape(.u8, [object.payload.count]),
                isMapped: object.isMapped)
        )
    }

    /// The ids of some experts of a pool, 32 bytes each; zeros where there is none any more.
    ///
    /// - Throws: `not-found` for a pool or experts that are not there.
    package func ids(_ ordinals: Range<Int>, layer: Int, pool: String) throws -> [UInt8] {
        let experts = try self.experts(layer: layer, pool: pool)
        guard ordinals.upperBound <= experts.count, ordinals.lowerBound >= 0 else {
            throw CambiumError(
                .notFound,
                "there are no experts \(ordinals.lowerBound) to \(ordinals.upperBound) in "
                    + "\(layer)/\(pool), which has \(experts.count)")
        }
        return try ordinals.flatMap { try experts.id($0).bytes }
    }

    /// The experts of a pool.
    ///
    /// - Throws: `not-found`.
    package func experts(layer: Int, pool: String) throws -> MappedExperts {
        guard let number = UInt32(exactly: layer),
            let experts = snapshot.experts(layer: number, pool: pool)
        else { throw CambiumError(.notFound, "the model has no pool \(layer)/\(pool)") }
        return experts
    }
}
