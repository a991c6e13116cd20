internal import Elements
internal import Synchronization

/// The experts of one pool under a limit of memory: each is copied out of the file when it is picked,
/// and dropped when it was not used for long.
final class CopiedExpertTable: ExpertTable {
    private let stored: StoredExperts
    private let residency: Residency
    private let cache: ExpertCache
    private let table: Int
    private let state = Mutex(State())

    /// Bytes that are worth another thread.
    private static let grain = 1 << 19

    private struct State {
        /// Where experts lie in the map, once found: finding one touches directories in the map.
        var addresses: [UInt32: UInt] = [:]
        /// Experts that a profile asked for and nobody picked yet.
        var ahead: Set<UInt32> = []
        /// The store's map.
        var mapping: Range<UInt>?
    }

    init(_ stored: StoredExperts, _ residency: Residency, _ cache: ExpertCache) {
        self.stored = stored
        self.residency = residency
        self.cache = cache
        table = cache.addTable()
    }

    var count: Int { stored.count }
    var parts: [TensorShape] { stored.parts }

    func tokensAtOnce(selections: Int) -> Int? {
        residency.tokensAtOnce(selections: selections, size: stored.size)
    }

    func find(
        _ ordinals: Span<UInt32>, _ addresses: inout ExpertAddresses
    ) throws {
        let (experts, missing) = try read(ordinals)
        unsafe addresses.fill { rows, copies in
            unsafe rows.removeAll(keepingCapacity: true)
            for expert in experts {
                unsafe rows.append(expert.start)
            }
            copies = experts
        }
        let used = state.withLock { state in
            state.ahead.isEmpty
                ? 0 : ordinals.indices.count { state.ahead.remove(ordinals[$0]) != nil }
        }
        residency.note(
            selections: ordinals.count, firstSelections: missing + used, prefetchedUsed: used)
    }

    func prefetch(_ ordinals: [UInt32]) throws {
        // Not all together, so that what is dropped is never among them.
        let block = max(1, min(256, cache.limit / 8 / max(stored.size, 1)))
        for first in stride(from: 0, to: ordinals.count, by: block) {
            let some = Array(ordinals[first..<min(first + block, ordinals.count)])
            let missing = try read(some.span).missing
            state.withLock { $0.ahead.formUnion(some) }
            residency.note(prefetched: missing)
        }
    }

    /// Copies of some experts, from the cache or from the file.
    private func read(
        _ ordinals: Span<UInt32>
    ) throws -> (experts: [MappedBytes], missing: Int) {
        let known = cache.look(table: table, ordinals)
        var wanted: [UInt32: MappedBytes] = [:]
        var unknown: Set<UInt32> = []
        for position in known.indices where known[position] == nil {
            let ordinal = ordinals[position]
            if let zeros = stored.zeros, stored.isZero(Int(ordinal)) {
                wanted[ordinal] = zeros
            } else {
                unknown.insert(ordinal)
            }
        }
        let missing = unknown.sorted()
        if !missing.isEmpty {
            try cache.makeRoom(for: missing.count * stored.size, release: releaseMap)
            for (ordinal, bytes) in zip(missing, try copies(of: missing)) {
                wanted[ordinal] = cache.keep(bytes, table: table, ordinal: ordinal)
            }
        }
        var experts: [MappedBytes] = []
        experts.reserveCapacity(ordinals.count)
        for (position, bytes) in known.enumerated() {
            guard let found = bytes ?? wanted[ordinals[position]] else {
                preconditionFailure("expert \(ordinals[position]) was not read")
            }
            experts.append(found)
        }
        return (experts, missing.count)
    }

    private func copies(of ordinals: [UInt32]) throws -> [MappedBytes] {
        var copies: [MappedBytes?] = []
        var addresses: [UInt] = []
        try stored.fetch(
            state.withLock { state in
                ordinals.filter { state.addresses[$0] == nil }.map { Int($0) }
            })
        for ordinal in ordinals {
            if let address = state.withLock({ $0.addresses[ordinal] }) {
                addresses.append(address)
                copies.append(nil)
                continue
            }
            let (bytes, isMapped, isAlone) = try stored.expert(Int(ordinal))
            if isMapped {
                let address = bytes.address
                state.withLock { $0.addresses[ordinal] = address }
                addresses.append(address)
                copies.append(nil)
            } else {
                // A part of a decompressed pack would keep it whole.
                copies.append(isAlone ? bytes : MappedBytes(copying: bytes.copy()))
            }
            if Residency.residentBytes() > cache.limit - cache.reserve * 2 / 3 { try releaseMap() }
        }
        if addresses.count * stored.size > 4096 { try stored.willCopy(from: addresses) }
        // One core copies slower than memory takes.
        let (wanted, pool) = (addresses, cache.pool)
        let read = concurrentMap(wanted.count, grain: max(1, Self.grain / max(stored.size, 1))) {
            position in Result { try stored.copy(from: wanted[position], in: pool) }
        }
        var next = read.makeIterator()
        return try copies.compactMap { copy in try copy ?? next.next()?.get() }
    }

    /// Gives back the map's pages, which finding experts touched.
    private func releaseMap() throws {
        let mapping = state.withLock { state in
            if state.mapping == nil, let address = state.addresses.values.first {
                state.mapping = MappedBytes.mapping(of: address)?.addresses
            }
            return state.mapping
        }
        if let mapping { MappedBytes.release(mapping) }
    }
}
