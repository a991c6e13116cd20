import Elements
import Testing

@testable import Models

@Suite("Addresses of experts")
struct SlotTableTests {
    /// One piece of memory, experts at multiples of 64 bytes in it, as in a pack.
    private let map = MappedBytes(copying: [UInt8](repeating: 7, count: 64 * 40))

    private func expert(_ index: Int) -> MappedBytes {
        let first = (64 - Int(map.address % 64)) % 64 + 64 * index
        return map.slice(first..<first + 64)
    }

    /// The positions that a table does not know, and the addresses of all.
    private func fill(_ table: SlotTable, _ ordinals: [UInt32]) -> (unknown: [Int], found: [UInt]) {
        var addresses: [UnsafeRawPointer] = unsafe []
        let unknown = unsafe table.fill(&addresses, ordinals.span)
        return (unknown, unsafe addresses.map { UInt(bitPattern: $0) })
    }

    @Test func nothingIsKnownAtFirst() throws {
        let table = try SlotTable(count: 3)
        #expect(fill(table, [0, 2, 0]).unknown == [0, 1, 2])
        #expect(fill(table, []).unknown == [])
        #expect(unsafe table.address(1) == nil)
    }

    /// Places before and behind the first one are told, the others by their positions; repeated ones too.
    @Test func placesInTheMapAreTold() throws {
        let table = try SlotTable(count: 30)
        for index in [20, 3, 29] { _ = unsafe table.set(index, expert(index), isMapped: true) }
        let ordinals: [UInt32] = [3, 4, 29, 20, 5, 3]
        let some = fill(table, ordinals)
        #expect(some.unknown == [1, 4])
        for position in [0, 2, 3, 5] {
            #expect(some.found[position] == expert(Int(ordinals[position])).address)
        }
        for index in [4, 5] { _ = unsafe table.set(index, expert(index), isMapped: true) }
        let all = fill(table, ordinals)
        #expect(all.unknown == [])
        #expect(all.found == ordinals.map { expert(Int($0)).address })
    }

    /// What does not lie in the map is kept, and is asked for one by one.
    @Test func bytesElsewhereAreKept() throws {
        let table = try SlotTable(count: 4)
        _ = unsafe table.set(0, expert(0), isMapped: true)
        let copy = MappedBytes(copying: [1, 2, 3])
        let kept = unsafe table.set(1, copy, isMapped: false)
        // The first that came stays.
        let second = unsafe table.set(1, MappedBytes(copying: [1, 2, 3]), isMapped: false)
        #expect(unsafe kept == copy.start && second == copy.start)
        let (unknown, found) = fill(table, [1, 0])
        #expect(unknown == [0] && found[1] == expert(0).address)
        #expect(unsafe table.address(1) == copy.start)
    }
}
