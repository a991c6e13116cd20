import Elements
import Models
import Synchronization
import Testing

@Suite("Copies of experts under a limit of memory")
struct ExpertCacheTests {
    private static let limit = 80 << 20
    private static let size = 1 << 20

    /// A cache in a process that has `others` bytes beside it.
    private static func cache(others: Int) -> ExpertCache {
        ExpertCache(limit: limit, residentBytes: { others })
    }

    private static func bytes(_ value: UInt8) -> MappedBytes {
        MappedBytes(copying: [UInt8](repeating: value, count: size))
    }

    private static func has(_ cache: ExpertCache, _ table: Int, _ ordinal: UInt32) -> Bool {
        cache.look(table: table, [ordinal].span)[0] != nil
    }

    @Test("what was used longest ago is dropped first, and what is lent stays readable")
    func leastRecentlyUsed() throws {
        let full = ExpertCache(limit: Self.limit, residentBytes: { 70 << 20 })
        let table = full.addTable()
        var kept: [MappedBytes] = []
        for ordinal in 0..<70 as Range<UInt32> {
            _ = full.look(table: table, [ordinal].span)
            kept.append(full.keep(Self.bytes(UInt8(ordinal)), table: table, ordinal: ordinal))
        }
        // The oldest is used again; then 5 more want room, and of 80 ten are held back.
        #expect(Self.has(full, table, 0))
        try full.makeRoom(for: 5 * Self.size) {}
        // 5 and an eighth of the 70: those from 1 on.
        #expect(full.bytesDropped == 14 * Self.size)
        #expect(Self.has(full, table, 0))
        for ordinal in 1..<15 as Range<UInt32> { #expect(!Self.has(full, table, ordinal)) }
        for ordinal in 15..<70 as Range<UInt32> { #expect(Self.has(full, table, ordinal)) }
        #expect(kept.enumerated().allSatisfy { $1.copy()[0] == UInt8($0) })
    }

    @Test("what was dropped is room for what comes: the allocator keeps it")
    func reusedRoom() throws {
        let cache = ExpertCache(limit: Self.limit, residentBytes: { 70 << 20 })
        let table = cache.addTable()
        for ordinal in 0..<8 as Range<UInt32> {
            _ = cache.keep(Self.bytes(0), table: table, ordinal: ordinal)
        }
        try cache.makeRoom(for: Self.size) {}
        let once = cache.bytesDropped
        #expect(once == 2 * Self.size)
        _ = cache.keep(Self.bytes(1), table: table, ordinal: 100)
        try cache.makeRoom(for: Self.size) {}
        #expect(cache.bytesDropped == once)
    }

    @Test("the map is given back before an expert is dropped")
    func releasesFirst() throws {
        let resident = Counter(79 << 20)
        let cache = ExpertCache(limit: Self.limit, residentBytes: { resident.value })
        let table = cache.addTable()
        _ = cache.keep(Self.bytes(1), table: table, ordinal: 7)
        try cache.makeRoom(for: Self.size) { resident.value = 10 << 20 }
        #expect(cache.bytesDropped == 0 && Self.has(cache, table, 7))
    }

    @Test("an expert takes the place of one that was picked more seldom, and of no other")
    func choosesByPicks() throws {
        let cache = ExpertCache(limit: Self.limit, residentBytes: { 55 << 20 })
        let table = cache.addTable()
        for ordinal in 0..<10 as Range<UInt32> {
            _ = cache.keep(Self.bytes(UInt8(ordinal)), table: table, ordinal: ordinal)
            for _ in 0..<(ordinal == 4 ? 2 : 6) { cache.count(table: table, [ordinal].span) }
        }
        func choose(_ ordinals: UInt32...) throws -> Set<UInt32>? {
            for ordinal in ordinals { _ = cache.look(table: table, [ordinal].span) }
            return try cache.choose(
                ordinals.map { ($0, passing: 1 << 21) }, table: table, size: Self.size
            ) {}
        }
        cache.count(table: table, [20, 20, 21, 21, 21].span)
        #expect(try choose(20) == [])
        #expect(cache.bytesDropped == 0)
        #expect(try choose(20, 21) == [21])
        #expect(cache.bytesDropped == Self.size && !Self.has(cache, table, 4))
        _ = cache.keep(Self.bytes(21), table: table, ordinal: 21)
        #expect(try choose(20) == [])
        #expect(Self.has(cache, table, 21))
    }

    @Test("where there is room everything is copied, and whatever would map too much")
    func choosesAll() throws {
        let others = Counter(10 << 20)
        let cache = ExpertCache(limit: Self.limit, residentBytes: { others.value })
        let table = cache.addTable()
        let experts = (0..<4 as Range<UInt32>).map { ($0, passing: 1 << 21) }
        #expect(
            try cache.choose(experts, table: table, size: Self.size) {} == [0, 1, 2, 3])
        // No copy would fit, and none is there that could go.
        others.value = 58 << 20
        #expect(try cache.choose(experts, table: table, size: Self.size) {} == nil)
        var isReleased = false
        #expect(
            try cache.choose(Array(experts.prefix(2)), table: table, size: Self.size) {
                isReleased = true
                others.value = 55 << 20
            } == [])
        #expect(isReleased)
        let most = cache.passingLimit / (1 << 21) + 1
        let many = (0..<UInt32(most)).map { ($0, passing: 1 << 21) }
        #expect(try cache.choose(many, table: table, size: Self.size) {} == nil)
    }

    @Test("what the kernel may map for an expert is whole folios around it")
    func folios() {
        #expect(ExpertCache.passing(0, size: 1) == 2 << 20)
        #expect(ExpertCache.passing((2 << 20) - 1, size: 2) == 4 << 20)
        #expect(ExpertCache.passing(2 << 20, size: 2 << 20) == 2 << 20)
    }

    @Test("tables that share a cache do not see each other's experts; the first copy stays")
    func tables() {
        let cache = Self.cache(others: 0)
        let (one, two) = (cache.addTable(), cache.addTable())
        let first = cache.keep(Self.bytes(1), table: one, ordinal: 3)
        #expect(!Self.has(cache, two, 3))
        #expect(cache.keep(Self.bytes(2), table: one, ordinal: 3).address == first.address)
    }
}

private final class Counter: Sendable {
    private let state: Mutex<Int>
    init(_ value: Int) { state = Mutex(value) }
    var value: Int {
        get { state.withLock { $0 } }
        set { state.withLock { $0 = newValue } }
    }
}
