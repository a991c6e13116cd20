package import Elements
internal import Objects
internal import Snapshots
internal import Synchronization

/// The experts of one cohort in place, each found once and then at a known address.
package final class MappedExpertTable: ExpertTable {
    private let experts: MappedExperts
    package let shape: TensorShape
    private let size: Int
    /// Where each expert's data lie, filled as experts are first used.
    private let slots: SlotTable
    private let residency: Residency
    /// Experts that a profile asked for and nobody picked yet.
    private let ahead = Mutex<Set<UInt32>>([])

    /// Takes neurons: two rows alike, of I8 with the scales of both as F32.
    ///
    /// - Throws: `.badTensor` for experts that do not form one table.
    init(_ experts: MappedExperts, _ residency: Residency) throws(ModelError) {
        let parts = experts.cohort.parts
        let rows = parts.first?.type == .i8 ? parts.dropLast() : parts[...]
        guard let first = rows.first, rows.allSatisfy({ $0 == first }),
            first.type != .i8 || parts.last == TensorShape(.f32, [rows.count])
        else {
            throw ModelError(.badTensor, "experts of \(parts) do not form one table")
        }
        self.experts = experts
        self.residency = residency
        shape = TensorShape(first.type, [rows.count] + first.dimensions)
        size = parts.reduce(0) { $0 + ($1.byteCount ?? 0) }
        slots = SlotTable(count: experts.count)
    }

    package var count: Int { experts.count }
    package var expertBytes: Int { size }

    package func tokensAtOnce(picks: Int) -> Int? { residency.tokensAtOnce(picks: picks) }

    package func find(
        _ ordinals: Span<UInt32>, _ addresses: inout [UnsafeRawPointer]
    ) throws(ModelError) {
        var found: [MappedBytes] = []
        let missing = unsafe slots.fill(&addresses, ordinals)
        var first = 0
        for index in missing {
            let ordinal = Int(ordinals[index])
            if let address = unsafe slots.address(ordinal) {
                unsafe addresses[index] = address
                continue
            }
            let (bytes, isMapped) = try bytes(ordinal)
            unsafe addresses[index] = slots.set(ordinal, bytes, isMapped: isMapped)
            found.append(bytes)
            first += 1
        }
        // All at once, so that the disk reads them side by side; the kernel's own reading ahead is
        // off for the whole map (MDB_NORDAHEAD). One alone is read when it is used.
        if found.count > 1 { MappedBytes.willNeed(found) }
        let used = ahead.withLock { ahead in
            ahead.isEmpty ? 0 : (0..<ordinals.count).count { ahead.remove(ordinals[$0]) != nil }
        }
        residency.note(
            picks: ordinals.count, firstPicks: first + used, prefetchedUsed: used)
        if residency.limit != nil {
            var mapped: [UInt] = []
            for index in ordinals.indices where slots.isMapped(Int(ordinals[index])) {
                unsafe mapped.append(UInt(bitPattern: addresses[index]))
            }
            residency.use(mapped.span, size: size)
        }
    }

    package func prefetch(_ ordinals: [UInt32]) throws(ModelError) {
        var found: [MappedBytes] = []
        for ordinal in ordinals where unsafe slots.address(Int(ordinal)) == nil {
            let (bytes, isMapped) = try bytes(Int(ordinal))
            _ = unsafe slots.set(Int(ordinal), bytes, isMapped: isMapped)
            found.append(bytes)
            ahead.withLock { _ = $0.insert(ordinal) }
        }
        MappedBytes.willNeed(found)
        residency.note(prefetched: found.count)
    }

    private func bytes(
        _ ordinal: Int
    ) throws(ModelError) -> (bytes: MappedBytes, isMapped: Bool) {
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
}

/// Addresses of mapped experts, four bytes each: in units of 64 bytes from a base near the first one
/// found, since objects lie at multiples of 64 in one map; the few others in a dictionary.
///
/// The snapshot that maps them must outlive the table.
@safe private final class SlotTable: Sendable {
    private static let unit = 64
    private static let elsewhere = UInt32.max
    /// Units before the first address, so that later ones may lie on either side.
    private static let before: UInt = 1 << 31

    // Written once per slot with the same value whoever writes it, and read atomically.
    nonisolated(unsafe) private let slots: UnsafeMutablePointer<Atomic<UInt32>>
    private let count: Int
    /// The unit that slot value 0 would stand for; 0 before the first address is known.
    private let base = Atomic<UInt>(0)
    private let others = Mutex<[Int: MappedBytes]>([:])

    init(count: Int) {
        unsafe slots = .allocate(capacity: max(count, 1))
        for index in 0..<count { unsafe (slots + index).initialize(to: Atomic(0)) }
        self.count = count
    }

    deinit {
        unsafe slots.deinitialize(count: count)
        unsafe slots.deallocate()
    }

    /// Sets the addresses of experts that are known to lie in the map.
    ///
    /// No step depends on the one before, so that cache misses overlap.
    ///
    /// - Parameter addresses: Replaced by one for each of `ordinals`.
    /// - Returns: The positions of the others, ascending; their addresses are of no use.
    @unsafe func fill(
        _ addresses: inout [UnsafeRawPointer], _ ordinals: Span<UInt32>
    ) -> [Int] {
        let nowhere = unsafe UnsafeRawPointer(bitPattern: Self.unit).unsafelyUnwrapped
        if unsafe addresses.count != ordinals.count {
            unsafe addresses = Array(repeating: nowhere, count: ordinals.count)
        }
        let start = base.load(ordering: .acquiring)
        var others = 0
        unsafe addresses.withUnsafeMutableBufferPointer { buffer in
            for position in ordinals.indices {
                let index = Int(ordinals[position])
                precondition(index < count, "slot \(index) of \(count)")
                let slot = unsafe slots[index].load(ordering: .acquiring)
                // Without a base yet, another thread is just setting the first.
                let isKnown = slot != 0 && slot != Self.elsewhere && start != 0
                others += isKnown ? 0 : 1
                // Never null: the base is above 0.
                let address = isKnown ? (start + UInt(slot)) * UInt(Self.unit) : UInt(Self.unit)
                unsafe buffer[position] =
                    UnsafeRawPointer(bitPattern: address).unsafelyUnwrapped
            }
        }
        if others == 0 { return [] }
        return ordinals.indices.filter { unsafe addresses[$0] == nowhere }
    }

    /// Notes where an expert lies, and tells its address.
    ///
    /// - Parameter isMapped: Whether it lies in the map, which stays; else the bytes are kept.
    @unsafe func set(
        _ index: Int, _ bytes: MappedBytes, isMapped: Bool
    ) -> UnsafeRawPointer {
        precondition(index >= 0 && index < count, "slot \(index) of \(count)")
        let pointer = unsafe bytes.withUnsafeBytes { buffer in
            unsafe buffer.baseAddress ?? UnsafeRawPointer(bitPattern: 64).unsafelyUnwrapped
        }
        let address = UInt(bitPattern: pointer)
        let (unit, rest) = address.quotientAndRemainder(dividingBy: UInt(Self.unit))
        if base.load(ordering: .acquiring) == 0 {
            _ = base.compareExchange(
                expected: 0, desired: max(unit, Self.before + 1) - Self.before,
                ordering: .acquiringAndReleasing)
        }
        let start = base.load(ordering: .acquiring)
        if isMapped, rest == 0, unit > start, unit - start < UInt(Self.elsewhere) {
            unsafe slots[index].store(UInt32(unit - start), ordering: .releasing)
        } else {
            others.withLock { $0[index] = bytes }
            unsafe slots[index].store(Self.elsewhere, ordering: .releasing)
        }
        return unsafe pointer
    }

    /// Whether an expert that was set lies in the map, and not in memory of its own.
    func isMapped(_ index: Int) -> Bool {
        precondition(index >= 0 && index < count, "slot \(index) of \(count)")
        return unsafe slots[index].load(ordering: .relaxed) != Self.elsewhere
    }

    /// The address that was set, or nil.
    @unsafe func address(_ index: Int) -> UnsafeRawPointer? {
        precondition(index >= 0 && index < count, "slot \(index) of \(count)")
        let slot = unsafe slots[index].load(ordering: .acquiring)
        if slot == 0 { return nil }
        if slot == Self.elsewhere {
            return unsafe others.withLock { others in
                unsafe others[index]?.withUnsafeBytes { $0.baseAddress }
            }
        }
        let address = (base.load(ordering: .relaxed) + UInt(slot)) * UInt(Self.unit)
        return unsafe UnsafeRawPointer(bitPattern: address)
    }
}
