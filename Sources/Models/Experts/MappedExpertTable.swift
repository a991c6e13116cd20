package import Elements
internal import Synchronization

/// The experts of one pool in place, each found once and then at a known address.
package final class MappedExpertTable: ExpertTable {
    private let stored: StoredExperts
    /// Where each expert's data lie, filled as experts are first used.
    private let slots: SlotTable
    private let residency: Residency
    /// Experts that a profile asked for and nobody picked yet.
    private let ahead = Mutex<Set<UInt32>>([])

    init(_ stored: StoredExperts, _ residency: Residency) throws {
        self.stored = stored
        self.residency = residency
        slots = try SlotTable(count: stored.count, zeros: stored.zeros)
    }

    package var count: Int { stored.count }
    package var parts: [TensorShape] { stored.parts }

    package func find(
        _ ordinals: Span<UInt32>, _ addresses: inout ExpertAddresses
    ) throws {
        var found: [MappedBytes] = []
        var first = 0
        try unsafe addresses.fill { rows, _ in
            let unknown = unsafe slots.fill(&rows, ordinals)
            let missing = unknown.map { Int(ordinals[$0]) }.filter {
                unsafe slots.address($0) == nil
            }
            if missing.count > 1 { try stored.fetch(Set(missing)) }
            for index in unknown {
                let ordinal = Int(ordinals[index])
                if let address = unsafe slots.address(ordinal) {
                    unsafe rows[index] = address
                    continue
                }
                first += 1
                if stored.isZero(ordinal) {
                    unsafe rows[index] = slots.setAbsent(ordinal)
                    continue
                }
                let (bytes, isMapped, _) = try stored.expert(ordinal)
                unsafe rows[index] = slots.set(ordinal, bytes, isMapped: isMapped)
                found.append(bytes)
            }
        }
        // All at once, so that the disk reads them side by side; the kernel's own reading ahead is
        // off for the whole map (MDB_NORDAHEAD). One page alone is read when it is used.
        if found.count > 1 || found.first?.count ?? 0 > 4096 { MappedBytes.willNeed(found) }
        let used = ahead.withLock { ahead in
            ahead.isEmpty ? 0 : (0..<ordinals.count).count { ahead.remove(ordinals[$0]) != nil }
        }
        residency.note(
            selections: ordinals.count, firstSelections: first + used, prefetchedUsed: used)
    }

    package func prefetch(_ ordinals: [UInt32]) throws {
        var found: [MappedBytes] = []
        let unknown = ordinals.filter { unsafe slots.address(Int($0)) == nil }
        try stored.forEach(unknown) { ordinal in
            guard !stored.isZero(Int(ordinal)) else { return }
            let (bytes, isMapped, _) = try stored.expert(Int(ordinal))
            _ = unsafe slots.set(Int(ordinal), bytes, isMapped: isMapped)
            found.append(bytes)
            ahead.withLock { _ = $0.insert(ordinal) }
        }
        MappedBytes.willNeed(found)
        residency.note(prefetched: found.count)
    }
}
