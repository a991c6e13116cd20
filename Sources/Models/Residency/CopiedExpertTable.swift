internal import Elements
internal import Synchronization

/// The experts of one pool under a limit of memory: those that are picked often are copied out of the file, and large ones
/// that are not run where they are mapped, this once; copies are dropped when others are picked more often.
final class CopiedExpertTable: ExpertTable {
    private let stored: StoredExperts
    private let residency: Residency
    private let cache: ExpertCache
    private let table: Int
    private let state = Mutex(State())

    /// Bytes that are worth another thread.
    private static let grain = 1 << 19
    /// Bytes of an expert from which on it may run where it is mapped: mapping one and giving it back are two calls.
    private static let leastPassed = 1 << 16

    private struct State {
        /// Where experts lie in the map, once found: finding one touches directories in the map.
        var addresses: [UInt32: UInt] = [:]
        /// Whether all that were found so far lie in the map.
        var areMapped = true
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
        let mayPass = stored.size >= Self.leastPassed
        if mayPass { cache.count(table: table, ordinals) }
        let found = try read(ordinals, mayPass: mayPass)
        unsafe addresses.fill { rows, copies in
            unsafe rows = unsafe found.addresses.compactMap {
                unsafe UnsafeRawPointer(bitPattern: $0)
            }
            copies = found.copies
        }
        let used = state.withLock { state in
            state.ahead.isEmpty
                ? 0 : ordinals.indices.count { state.ahead.remove(ordinals[$0]) != nil }
        }
        residency.note(
            selections: ordinals.count, firstSelections: found.missing + used,
            prefetchedUsed: used)
    }

    func prefetch(_ ordinals: [UInt32]) throws {
        // Not all together, so that what is dropped is never among them.
        let block = max(1, min(256, cache.limit / 8 / max(stored.size, 1)))
        for first in stride(from: 0, to: ordinals.count, by: block) {
            let some = Array(ordinals[first..<min(first + block, ordinals.count)])
            let missing = try read(some.span, mayPass: false).missing
            state.withLock { $0.ahead.formUnion(some) }
            residency.note(prefetched: missing)
        }
    }

    /// Experts as a look-up gives them out.
    private struct Found {
        var addresses: [UInt] = []
        /// Those in memory of their own.
        var copies: [MappedBytes] = []
        var missing = 0
    }

    /// Where an expert lies that is not in the cache.
    private enum Place {
        case mapped(UInt)
        case memory(MappedBytes)
    }

    /// Some experts, from the cache or from the file.
    ///
    /// - Parameter mayPass: Whether those that are not worth a copy run where they are mapped.
    private func read(_ ordinals: Span<UInt32>, mayPass: Bool) throws -> Found {
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
        let passed = missing.isEmpty ? [:] : try read(missing, mayPass, &wanted)
        var found = Found()
        found.missing = missing.count
        found.addresses.reserveCapacity(ordinals.count)
        for (position, bytes) in known.enumerated() {
            if let bytes = bytes ?? wanted[ordinals[position]] {
                found.addresses.append(bytes.address)
                found.copies.append(bytes)
            } else if let address = passed[ordinals[position]] {
                found.addresses.append(address)
            } else {
                preconditionFailure("expert \(ordinals[position]) was not read")
            }
        }
        return found
    }

    /// Reads experts that the cache does not have.
    ///
    /// - Parameter copies: The new copies are added.
    /// - Returns: Where the others are mapped.
    private func read(
        _ missing: [UInt32], _ mayPass: Bool, _ copies: inout [UInt32: MappedBytes]
    ) throws -> [UInt32: UInt] {
        let (unknown, areMapped) = state.withLock { state in
            (missing.filter { state.addresses[$0] == nil }, state.areMapped)
        }
        // What is not mapped takes memory when it is found.
        let certain = !mayPass ? missing.count : areMapped ? 0 : unknown.count
        if certain > 0 { try cache.makeRoom(for: certain * stored.size, release: releaseMap) }
        try stored.fetch(unknown.lazy.map { Int($0) })
        var mapped: [(ordinal: UInt32, address: UInt)] = []
        for ordinal in missing {
            switch try locate(ordinal) {
            case .mapped(let address): mapped.append((ordinal, address))
            case .memory(let bytes):
                copies[ordinal] = cache.keep(bytes, table: table, ordinal: ordinal)
            }
        }
        let (size, copied) = (stored.size, try copied(mapped, mayPass))
        if mapped.count * size > 4096 { try stored.willCopy(from: mapped.map(\.address)) }
        // One core copies slower than memory takes.
        let (wanted, pool) = (mapped, cache.pool)
        let read = concurrentMap(wanted.count, grain: max(1, Self.grain / max(size, 1))) {
            position -> Result<MappedBytes?, any Error> in
            let (ordinal, address) = wanted[position]
            // Where mapping fails, copying says why.
            if !copied.contains(ordinal), MappedBytes.populate(address..<address + UInt(size)) {
                return .success(nil)
            }
            return Result { try stored.copy(from: address, in: pool) }
        }
        var passed: [UInt32: UInt] = [:]
        for ((ordinal, address), copy) in zip(mapped, read) {
            if let copy = try copy.get() {
                copies[ordinal] =
                    copied.contains(ordinal)
                    ? cache.keep(copy, table: table, ordinal: ordinal) : copy
            } else {
                passed[ordinal] = address
            }
        }
        return passed
    }

    /// Which experts that are mapped are to be copied, with room for them.
    private func copied(
        _ mapped: [(ordinal: UInt32, address: UInt)], _ mayPass: Bool
    ) throws -> Set<UInt32> {
        guard mayPass else { return Set(mapped.map(\.ordinal)) }
        let experts = mapped.map { expert in
            (expert.ordinal, passing: ExpertCache.passing(expert.address, size: stored.size))
        }
        let chosen = try cache.choose(
            experts, table: table, size: stored.size, release: releaseMap)
        if let chosen { return chosen }
        try cache.makeRoom(for: mapped.count * stored.size, release: releaseMap)
        return Set(mapped.map(\.ordinal))
    }

    private func locate(_ ordinal: UInt32) throws -> Place {
        if let address = state.withLock({ $0.addresses[ordinal] }) { return .mapped(address) }
        let (bytes, isMapped, isAlone) = try stored.expert(Int(ordinal))
        if Residency.residentBytes() > cache.limit - cache.reserve * 2 / 3 { try releaseMap() }
        guard isMapped else {
            state.withLock { $0.areMapped = false }
            // A part of a decompressed pack would keep it whole.
            return .memory(isAlone ? bytes : MappedBytes(copying: bytes.copy()))
        }
        let address = bytes.address
        state.withLock { $0.addresses[ordinal] = address }
        return .mapped(address)
    }

    /// Gives back the map's pages, which finding experts touched, and running them where they are mapped.
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
