internal import Elements
internal import Glibc
internal import Synchronization

/// Addresses of mapped experts, four bytes each: in units of 64 bytes from a base near the first one
/// found, since objects lie at multiples of 64 in one map; the few others in a dictionary.
///
/// The snapshot that maps them must outlive the table.
@safe final class SlotTable: Sendable {
    private static let unit = 64
    private static let elsewhere = UInt32.max
    /// Of a row that is not there.
    private static let absent = UInt32.max - 1
    /// Units before the first address, so that later ones may lie on either side.
    private static let before: UInt = 1 << 31

    // Written once per slot with the same value whoever writes it, and read atomically.
    nonisolated(unsafe) private let slots: UnsafeMutablePointer<Atomic<UInt32>>
    private let count: Int
    /// The unit that slot value 0 would stand for; 0 before the first address is known.
    private let base = Atomic<UInt>(0)
    private let others = Mutex<[Int: MappedBytes]>([:])
    /// What rows are that are not there.
    private let zeros: MappedBytes?

    /// - Throws: `limit` where there is no memory for so many.
    /// - Complexity: Memory that nothing was found in is not touched.
    init(count: Int, zeros: MappedBytes? = nil) throws {
        let size = MemoryLayout<Atomic<UInt32>>.stride
        guard let memory = unsafe calloc(max(count, 1), size) else {
            throw CambiumError(
                .limit,
                "\(count) experts take \(count * size) bytes for their places, which are not there")
        }
        self.zeros = zeros
        // Zeros are atomics of 0.
        unsafe slots = memory.bindMemory(to: Atomic<UInt32>.self, capacity: max(count, 1))
        self.count = count
    }

    deinit { unsafe free(slots) }

    /// Sets the addresses of experts that are known to lie in the map.
    ///
    /// At random over a large table each slot is a cache miss: the first pass does nothing but load, so
    /// that as many as the processor can take overlap, and the second finds what it needs in the cache.
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
        var last: UInt32 = 0
        for position in ordinals.indices { last = max(last, ordinals[position]) }
        precondition(ordinals.isEmpty || last < count, "slot \(last) of \(count)")
        // The two values that are no place become the largest ones.
        var largest: UInt32 = 0
        for position in ordinals.indices {
            largest = max(largest, slot(ordinals[position]) &- 1)
        }
        let start = base.load(ordering: .acquiring)
        let zeros = zeros.map { unsafe UInt(bitPattern: $0.start) } ?? UInt(Self.unit)
        unsafe addresses.withUnsafeMutableBufferPointer { buffer in
            for position in ordinals.indices {
                let slot = slot(ordinals[position])
                // Without a base yet, another thread is just setting the first.
                let isKnown = slot != 0 && slot < Self.absent && start != 0
                let other = slot == Self.absent ? zeros : UInt(Self.unit)
                // Never null: the base is above 0.
                let address = isKnown ? (start + UInt(slot)) * UInt(Self.unit) : other
                unsafe buffer[position] =
                    UnsafeRawPointer(bitPattern: address).unsafelyUnwrapped
            }
        }
        if largest < Self.elsewhere - 1, start != 0 { return [] }
        return ordinals.indices.filter { unsafe addresses[$0] == nowhere }
    }

    private func slot(_ index: UInt32) -> UInt32 {
        unsafe slots[Int(index)].load(ordering: .acquiring)
    }

    /// Notes where an expert lies, and tells its address.
    ///
    /// - Parameter isMapped: Whether it lies in the map, which stays; else the bytes are kept.
    @unsafe func set(
        _ index: Int, _ bytes: MappedBytes, isMapped: Bool
    ) -> UnsafeRawPointer {
        precondition(index >= 0 && index < count, "slot \(index) of \(count)")
        let pointer = unsafe bytes.start
        let address = UInt(bitPattern: pointer)
        let (unit, rest) = address.quotientAndRemainder(dividingBy: UInt(Self.unit))
        if base.load(ordering: .acquiring) == 0 {
            _ = base.compareExchange(
                expected: 0, desired: max(unit, Self.before + 1) - Self.before,
                ordering: .acquiringAndReleasing)
        }
        let start = base.load(ordering: .acquiring)
        if isMapped, rest == 0, unit > start, unit - start < UInt(Self.absent) {
            unsafe slots[index].store(UInt32(unit - start), ordering: .releasing)
        } else {
            // Another thread may have been faster, and use what it set.
            let kept = others.withLock { others in
                if let first = others[index] { return first }
                others[index] = bytes
                return bytes
            }
            unsafe slots[index].store(Self.elsewhere, ordering: .releasing)
            return unsafe kept.start
        }
        return unsafe pointer
    }

    /// Notes that an expert is a row that is not there, and tells the address of zeros.
    @unsafe func setAbsent(_ index: Int) -> UnsafeRawPointer {
        precondition(index >= 0 && index < count, "slot \(index) of \(count)")
        guard let zeros else { preconditionFailure("expert \(index) is absent") }
        unsafe slots[index].store(Self.absent, ordering: .releasing)
        return unsafe zeros.start
    }

    /// The address that was set, or nil.
    @unsafe func address(_ index: Int) -> UnsafeRawPointer? {
        precondition(index >= 0 && index < count, "slot \(index) of \(count)")
        let slot = unsafe slots[index].load(ordering: .acquiring)
        if slot == 0 { return nil }
        if slot == Self.absent { return unsafe zeros?.start }
        if slot == Self.elsewhere {
            return unsafe others.withLock { others in
                unsafe others[index]?.start
            }
        }
        let address = (base.load(ordering: .relaxed) + UInt(slot)) * UInt(Self.unit)
        return unsafe UnsafeRawPointer(bitPattern: address)
    }
}
