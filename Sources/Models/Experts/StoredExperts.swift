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
    /// What a row is that is not there; nil for experts that are no rows.
    let zeros: MappedBytes?

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
        zeros =
            experts.pool.kind == .row
            ? MappedBytes(copying: [UInt8](repeating: 0, count: size)) : nil
    }

    var count: Int { experts.count }

    /// Whether an expert is a row that is not there, which is zeros.
    func isZero(_ ordinal: Int) -> Bool { zeros != nil && experts.isAbsent(ordinal) }

    /// Asks for experts that lie on a remote, all at once, before each is read.
    func fetch(_ ordinals: some Sequence<Int>) throws {
        do {
            try experts.fetch(ordinals)
        } catch let error as CambiumError {
            throw error.adding("experts cannot be read")
        }
    }

    /// As ``fetch(_:)``, some at a time, and calls `body` with each in order.
    func forEach(_ ordinals: [UInt32], _ body: (UInt32) throws -> Void) throws {
        let block = max(1, (64 << 20) / max(size, 1))
        for first in stride(from: 0, to: ordinals.count, by: block) {
            let some = ordinals[first..<min(first + block, ordinals.count)]
            try fetch(some.lazy.map(Int.init))
            for ordinal in some { try body(ordinal) }
        }
    }

    /// An expert's data in place, whether they lie in the map, and else whether they are alone in their memory.
    ///
    /// - Throws: What reading throws; `.badTensor` for another size.
    func expert(
        _ ordinal: Int
    ) throws -> (bytes: MappedBytes, isMapped: Bool, isAlone: Bool) {
        let object: StoredObject
        do {
            object = try checks ? experts.checked(ordinal) : experts.expert(ordinal)
        } catch let error as CambiumError {
            throw error.adding("expert \(ordinal) cannot be read")
        }
        guard object.payload.count == size else {
            throw CambiumError(
                .badTensor,
                "expert \(ordinal) has \(object.payload.count) bytes; its table says \(size)")
        }
        return (object.payload, object.isMapped, object.isAlone)
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
    /// - Parameters:
    ///   - address: As ``expert(_:)`` told it.
    ///   - pool: Where its memory comes from, and goes to.
    func copy(from address: UInt, in pool: BufferPool) throws -> MappedBytes {
        do {
            return try MappedBytes(count: size, zeroed: false, from: pool) { buffer in
                try experts.snapshot.copy(from: address, into: &buffer)
            }
        } catch let error as CambiumError {
            throw error.adding("an expert cannot be read")
        }
    }
}
