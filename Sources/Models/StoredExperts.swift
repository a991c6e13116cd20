internal import Elements
internal import Objects
internal import Snapshots

/// The experts of one cohort where a snapshot has them, checked to form one table.
struct StoredExperts: Sendable {
    private let experts: MappedExperts
    /// Of a neuron: its row u, then its row v, [2, width].
    let shape: TensorShape
    /// Bytes of an expert, with the scales of rows of I8.
    let size: Int

    /// Takes neurons: two rows alike, of I8 with the scales of both as F32.
    ///
    /// - Throws: `.badTensor` for experts that do not form one table.
    init(_ experts: MappedExperts) throws(ModelError) {
        let parts = experts.cohort.parts
        let rows = parts.first?.type == .i8 ? parts.dropLast() : parts[...]
        guard let first = rows.first, rows.allSatisfy({ $0 == first }),
            first.type != .i8 || parts.last == TensorShape(.f32, [rows.count])
        else {
            throw ModelError(.badTensor, "experts of \(parts) do not form one table")
        }
        self.experts = experts
        shape = TensorShape(first.type, [rows.count] + first.dimensions)
        size = parts.reduce(0) { $0 + ($1.byteCount ?? 0) }
    }

    var count: Int { experts.count }

    /// An expert's data in place, and whether they lie in the map.
    ///
    /// - Throws: `.source` if it cannot be read; `.badTensor` for another size.
    func expert(_ ordinal: Int) throws(ModelError) -> (bytes: MappedBytes, isMapped: Bool) {
        let object: (payload: MappedBytes, isMapped: Bool)
        do throws(SnapshotError) {
            let stored = try experts.expert(ordinal)
            object = (stored.payload, stored.isMapped)
        } catch {
            throw ModelError(.source, "expert \(ordinal) cannot be read", cause: error)
        }
        guard object.payload.count == size else {
            throw ModelError(
                .badTensor,
                "expert \(ordinal) has \(object.payload.count) bytes; its table says \(size)")
        }
        return (object.payload, object.isMapped)
    }

    /// Asks the system to read mapped experts into its cache, for ``copy(from:)``.
    func willCopy(from addresses: [UInt]) throws(ModelError) {
        do throws(SnapshotError) {
            try experts.snapshot.willCopy(from: addresses, size: size)
        } catch {
            throw ModelError(.source, "experts cannot be read", cause: error)
        }
    }

    /// A mapped expert in memory of its own, read without touching the map.
    ///
    /// - Parameter address: As ``expert(_:)`` told it.
    func copy(from address: UInt) throws(ModelError) -> MappedBytes {
        do throws(SnapshotError) {
            return try MappedBytes(count: size) { (buffer) throws(SnapshotError) in
                try experts.snapshot.copy(from: address, into: &buffer)
            }
        } catch {
            throw ModelError(.source, "an expert cannot be read", cause: error)
        }
    }
}
