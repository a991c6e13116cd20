package import Elements
internal import Objects
package import Snapshots
internal import Synchronization

/// The weights of a mapped snapshot, for a model to run on: nothing is copied.
package struct SnapshotWeights: WeightSource {
    private let snapshot: MappedSnapshot
    private let tensors: [String: StoredTensor]

    package init(_ snapshot: MappedSnapshot) {
        self.snapshot = snapshot
        var tensors = snapshot.tree.trunk.tensors
        for layer in snapshot.tree.layers.values {
            for cohort in layer.cohorts.values { tensors.merge(cohort.router) { $1 } }
        }
        self.tensors = tensors
    }

    package func tensor(_ name: String) throws(ModelError) -> Weights {
        guard let entry = tensors[name] else {
            throw ModelError(.missingTensor, "snapshot \(snapshot.id.short) has no tensor \(name)")
        }
        do throws(SnapshotError) {
            return Weights(shape: entry.shape, bytes: try snapshot.object(entry.id).payload)
        } catch {
            throw ModelError(.source, "tensor \(name) cannot be read", cause: error)
        }
    }

    package func experts(layer: Int) throws(ModelError) -> any ExpertTable {
        let cohorts = snapshot.tree.layers[UInt32(clamping: layer)]?.cohorts ?? [:]
        guard let experts = snapshot.experts(layer: UInt32(clamping: layer), cohort: Cohort.base)
        else {
            throw ModelError(
                .missingTensor, "snapshot \(snapshot.id.short) has no experts in layer \(layer)")
        }
        guard cohorts.count == 1 else {
            throw ModelError(
                .badConfig,
                "layer \(layer) has \(cohorts.count) cohorts; this version runs one per layer")
        }
        return try MappedExpertTable(experts)
    }
}

/// The experts of one cohort in place, each found once and then at a known address.
package final class MappedExpertTable: ExpertTable {
    private let experts: MappedExperts
    package let shape: TensorShape
    /// Where each expert's data lie, filled as experts are first used.
    private let slots: SlotTable

    init(_ experts: MappedExperts) throws(ModelError) {
        guard let first = experts.cohort.parts.first,
            experts.cohort.parts.allSatisfy({ $0 == first })
        else {
            throw ModelError(.badTensor, "experts of \(experts.cohort.parts) do not form one table")
        }
        self.experts = experts
        shape = TensorShape(first.type, [experts.cohort.parts.count] + first.dimensions)
        slots = SlotTable(count: experts.count)
    }

    package var count: Int { experts.count }

    package func visit(
        _ ordinals: Span<UInt32>,
        _ body: (_ index: Int, _ expert: RawSpan) throws(ModelError) -> Void
    ) throws(ModelError) {
        let size = shape.byteCount ?? 0
        let slots = slots
        var start = 0
        while start < ordinals.count {
            let block = ordinals.extracting(start..<min(start + Self.lookAhead, ordinals.count))
            // The slots of a block are loaded before any is used, so that their cache misses
            // overlap; used one by one, each would wait for the one before.
            slots.touch(block)
            for index in block.indices {
                let ordinal = Int(block[index])
                if let bytes = slots.bytes(ordinal, size) {
                    try body(start + index, bytes)
                    continue
                }
                let payload: MappedBytes
                do throws(SnapshotError) {
                    payload = try experts.expert(ordinal).payload
                } catch {
                    throw ModelError(.source, "expert \(ordinal) cannot be read", cause: error)
                }
                slots.set(ordinal, payload)
                try body(start + index, payload.bytes)
            }
            start += Self.lookAhead
        }
    }

    private static let lookAhead = 64
}

/// Addresses of mapped experts.
///
/// The snapshot that maps them must outlive the table.
@safe private final class SlotTable: Sendable {
    // Written once per slot with the same value whoever writes it, and read atomically.
    nonisolated(unsafe) private let slots: UnsafeMutablePointer<Atomic<UInt>>
    private let count: Int
    private let seen = Atomic<UInt>(0)

    init(count: Int) {
        unsafe slots = .allocate(capacity: max(count, 1))
        for index in 0..<count { unsafe (slots + index).initialize(to: Atomic(0)) }
        self.count = count
    }

    deinit {
        unsafe slots.deinitialize(count: count)
        unsafe slots.deallocate()
    }

    /// Brings slots into the cache.
    func touch(_ indexes: Span<UInt32>) {
        var all: UInt = 0
        for position in indexes.indices {
            let index = Int(indexes[position])
            precondition(index < count, "slot \(index) of \(count)")
            all |= unsafe slots[index].load(ordering: .relaxed)
        }
        // Stored where others can see it, or the loads would be left out.
        seen.store(all, ordering: .relaxed)
    }

    func set(_ index: Int, _ bytes: MappedBytes) {
        precondition(index >= 0 && index < count, "slot \(index) of \(count)")
        unsafe bytes.withUnsafeBytes { buffer in
            let address = UInt(bitPattern: buffer.baseAddress)
            unsafe slots[index].store(address, ordering: .releasing)
        }
    }

    /// The bytes of a slot that was set, or nil.
    @_lifetime(borrow self)
    func bytes(_ index: Int, _ count: Int) -> RawSpan? {
        precondition(index >= 0 && index < self.count, "slot \(index) of \(self.count)")
        let address = unsafe slots[index].load(ordering: .acquiring)
        guard let start = unsafe UnsafeRawPointer(bitPattern: address) else { return nil }
        let span = unsafe RawSpan(_unsafeStart: start, byteCount: count)
        return unsafe _overrideLifetime(span, borrowing: self)
    }
}
