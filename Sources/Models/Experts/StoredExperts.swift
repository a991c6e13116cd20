internal import Elements
internal import Objects
internal import Snapshots

/// The experts of one pool where a snapshot has them.
struct StoredExperts: Sendable {
    private let experts: MappedExperts
    private let checks: Bool
    /// The tensors of one expert, in the order of its bytes.
    let parts: [TensorShape]
    /// Bytes of an expert.
    let size: Int

    /// - Parameter checks: Whether an expert is checked against its name when it is found.
    /// - Throws: `.badTensor` for experts without a countable size.
    init(_ experts: MappedExperts, checks: Bool = false) throws {
        let parts = experts.pool.parts
        var size = 0
        for part in parts {
            guard let bytes = part.byteCount else {
                throw CambiumError(.badTensor, "experts of \(parts) have no countable size")
            }
            size += bytes
        }
        self.experts = experts
        self.checks = checks
        self.parts = parts
        self.size = size
    }

    var count: Int { experts.count }

    /// An expert's data in place, and whether they lie in the map.
    ///
    /// - Throws: What reading throws; `.badTensor` for another size.
    func expert(_ ordinal: Int) throws -> (bytes: MappedBytes, isMapped: Bool) {
        let object: (payload: MappedBytes, isMapped: Bool)
        do {
            let stored = try checks ? experts.checked(ordinal) : experts.expert(ordinal)
            object = (stored.payload, stored.isMapped)
        } catch let error as CambiumError {
            throw error.adding("expert \(ordinal) cannot be read")
        }
        guard object.payload.count == size else {
            throw CambiumError(
                .badTensor,
                "expert \(ordinal) has \(object.payload.count) bytes; its table says \(size)")
        }
        return (object.payload, object.isMapped)
    }

    /// Asks the system to read mapped experts into its cache, for ``copy(from:)``.
    func willCopy(from addresses: [UInt]) throws {
        do {
            try experts.snapshot.willCopy(from: addresses, size: size)
        } catch let error as CambiumError {
            throw error.adding("experts cannot be read")
        }
    }

    /// A mapped expert in memory of its own, read without touching the map.
    ///
    /// - Parameter address: As ``expert(_:)`` told it.
    func copy(from address: UInt) throws -> MappedBytes {
        do {
            return try MappedBytes(count: size) { buffer in
                try experts.snapshot.copy(from: address, into: &buffer)
            }
        } catch let error as CambiumError {
            throw error.adding("an expert cannot be read")
        }
    }
}
