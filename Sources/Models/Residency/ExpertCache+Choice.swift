internal import Elements
internal import Synchronization

/// Experts that are not worth a copy.
extension ExpertCache {
    /// Counts picks for ``choose(_:table:size:release:)``.
    package func count(table: Int, _ ordinals: Span<UInt32>) {
        state.withLock { state in
            for index in ordinals.indices {
                state.picks.add(Key(table: table, ordinal: ordinals[index]))
            }
        }
    }

    /// The most that look-ups may have where it is mapped, beside the copies.
    package var passingLimit: Int { min(limit / 8, max(limit / 32, 40 << 20)) }

    /// Bytes that the kernel may map for an expert that runs where it is mapped: whole folios of its cache.
    package static func passing(_ address: UInt, size: Int) -> Int {
        let folio: UInt = 2 << 20
        let end = (address + UInt(size) + folio - 1) / folio * folio
        return Int(end - address / folio * folio)
    }

    /// Chooses, of experts that are not here, those that are copied; the others run where they are mapped.
    ///
    /// One takes the place of another only where it was picked more often lately, which is the admission of TinyLFU
    /// (Einziger, Friedman, Manes: TinyLFU, ACM Transactions on Storage 13 (4), 2017, §3). Where picks are almost even,
    /// copying each for the next use would drop as good a one.
    ///
    /// - Parameters:
    ///   - experts: Each once, with what running it where it is mapped may map.
    ///   - size: Bytes of each.
    ///   - release: Called when the process has too much: gives back the map's pages.
    /// - Returns: Nil where the others would map too much: all are copied then.
    package func choose(
        _ experts: [(ordinal: UInt32, passing: Int)], table: Int, size: Int,
        release: () throws -> Void
    ) throws -> Set<UInt32>? {
        let passing = experts.reduce(0) { $0 + $1.passing }
        guard passing <= passingLimit else { return nil }
        if residentBytes() + passing > limit - reserve {
            try release()
            let resident = residentBytes()
            state.withLock { $0.base = (resident, $0.peak) }
            guard resident + passing <= limit - reserve else { return nil }
        }
        let allowed = limit - reserve - passingLimit
        let resident = residentBytes()
        return state.withLock { state in
            state.passes = true
            // Without what look-ups have mapped since.
            let own = state.base.map { $0.resident + state.peak - $0.peak } ?? resident
            // Copies that are gone are room in the pool.
            var room = max(allowed - own, state.peak - state.bytes)
            var chosen: Set<UInt32> = []
            let wanted = experts.map {
                (ordinal: $0.ordinal, picks: state.picks(Key(table: table, ordinal: $0.ordinal)))
            }
            for (ordinal, picks) in wanted.sorted(by: {
                ($1.picks, $0.ordinal) < ($0.picks, $1.ordinal)
            }) {
                while room < size {
                    let freed = state.drop(below: picks)
                    guard freed > 0 else { return chosen }
                    room += freed
                }
                room -= size
                chosen.insert(ordinal)
            }
            return chosen
        }
    }
}

extension ExpertCache.State {
    /// Drops the copy that was picked most seldom lately, if that is less often than `picks`; its bytes, 0 for none.
    mutating func drop(below picks: Int) -> Int {
        if seldom.isEmpty || clock - sorted > entries.count { sort() }
        while let key = seldom.last {
            guard let entry = entries[key], entry.lastUse < clock else {
                seldom.removeLast()
                continue
            }
            guard self.picks(key) < picks else { return 0 }
            seldom.removeLast()
            entries[key] = nil
            bytes -= entry.bytes.count
            dropped += entry.bytes.count
            return entry.bytes.count
        }
        return 0
    }

    private mutating func sort() {
        let all = entries.map { (key: $0.key, picks: picks($0.key), lastUse: $0.value.lastUse) }
            .sorted {
                ($0.picks, $0.lastUse, $0.key.table, $0.key.ordinal)
                    < ($1.picks, $1.lastUse, $1.key.table, $1.key.ordinal)
            }
        seldom = all.prefix(entries.count / 4 + 1).reversed().map(\.key)
        sorted = clock
    }
}
