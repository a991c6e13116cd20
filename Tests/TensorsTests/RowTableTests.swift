import Elements
import NumericSupport
import Tensors
import Testing

@Suite("rows of hashed experts")
struct RowTableTests {
    private static let width = 21

    /// Adagrad with one sum for each row, as it is written.
    private struct Reference {
        var rows: [UInt32: [Float]] = [:]
        var sums: [UInt32: Float] = [:]

        mutating func descend(
            _ ids: [UInt32], perToken: Int, gradient: [Float], rate: Float,
            factor: (UInt32) -> Float
        ) {
            let width = RowTableTests.width
            for id in Set(ids) {
                var sum = [Float](repeating: 0, count: width)
                for (position, picked) in ids.enumerated() where picked == id {
                    let token = position / perToken
                    for column in 0..<width { sum[column] += gradient[token * width + column] }
                }
                let square = sum.reduce(0) { $0 + $1 * $1 } / Float(width)
                let total = (sums[id] ?? 0) + square
                sums[id] = total
                let step = rate * factor(id) / (total.squareRoot() + 1e-12)
                rows[id] = zip(rows[id] ?? [Float](repeating: 0, count: width), sum).map {
                    $0 - step * $1
                }
            }
        }
    }

    private func sorted(_ ids: [UInt32]) -> (rows: [UInt32], order: [UInt32], starts: [UInt32]) {
        let rows = Set(ids).sorted()
        var (order, starts): ([UInt32], [UInt32]) = ([], [])
        for row in rows {
            starts.append(UInt32(order.count))
            order += ids.indices.filter { ids[$0] == row }.map { UInt32($0) }
        }
        return (rows, order, starts + [UInt32(ids.count)])
    }

    @Test("rows follow Adagrad, only those that were picked, however they are shared out")
    func adagrad() throws {
        let width = Self.width
        var noise = Noise(seed: 4)
        let ids: [UInt32] = [3, 90, 3, 17, 3, 90, 41, 41, 0, 99]
        let factor: (UInt32) -> Float = { 1 / (1 + Float($0) / 4) }
        for blocks in [[0..<6], [0..<1, 1..<4, 4..<6]] {
            let table = RowTable(count: 100, width: width)
            var expected = Reference()
            for _ in 0..<3 {
                let gradient = FloatMemory(count: 5 * width).slice
                gradient.copy(noise.floats(5 * width))
                let picks = sorted(ids)
                table.claim(picks.rows)
                for block in blocks {
                    table.descend(
                        block, of: picks.rows, order: picks.order, starts: picks.starts,
                        perToken: 2, gradient: gradient, rate: 0.3,
                        factors: picks.rows.map(factor))
                }
                expected.descend(
                    ids, perToken: 2, gradient: gradient.array, rate: 0.3, factor: factor)
            }
            #expect(table.ids.sorted() == Set(ids).sorted())
            for id in table.ids {
                let (row, wanted) = (try #require(table[id]), try #require(expected.rows[id]))
                #expect(zip(row, wanted).allSatisfy { abs($0 - $1) < 1e-5 }, "row \(id)")
                #expect(abs(table.sum(of: id) - (expected.sums[id] ?? 0)) < 1e-4)
            }
            #expect(table[1] == nil && table.sum(of: 1) == 0)
        }
    }

    @Test("a token has its rows added in their order, and nothing of absent ones")
    func add() {
        let width = Self.width
        var noise = Noise(seed: 5)
        let table = RowTable(count: 1000, width: width)
        for id in stride(from: UInt32(0), to: 1000, by: 3) { table.set(id, noise.floats(width)) }
        for (perToken, tokens) in [(1, 1), (3, 40), (8, 7)] {
            let ids = (0..<tokens * perToken).map { _ in UInt32((noise.float() + 1) * 499) }
            let x = FloatMemory(count: tokens * width).slice
            x.copy(noise.floats(tokens * width))
            var expected = x.array
            for (position, id) in ids.enumerated() {
                guard let row = table[id] else { continue }
                for column in 0..<width {
                    expected[position / perToken * width + column] += row[column]
                }
            }
            table.add(ids, perToken: perToken, to: x)
            #expect(x.array == expected)
        }
    }

    @Test("a copy changes apart, and rows over a base begin with its sums")
    func copies() {
        let row = [Float](repeating: 1, count: Self.width)
        let base = RowTable(count: 10, width: Self.width)
        base.set(4, row, sum: 2.5)
        let copy = base.copy()
        copy.set(4, row.map { $0 * 2 }, sum: 7)
        copy.set(5, row)
        #expect(base[4] == row && base.sum(of: 4) == 2.5 && base[5] == nil)
        let own = RowTable(count: 10, width: Self.width, over: base)
        #expect(own[4] == nil && own.sum(of: 4) == 2.5)
        own.claim([4, 6])
        #expect(own[4] == row.map { _ in 0 } && own.sum(of: 4) == 2.5 && own.sum(of: 6) == 0)
        #expect(own.ids == [4, 6] && base.ids == [4])
    }

    @Test("tables that there is no address space for are refused with their bytes")
    func addressSpace() throws {
        try RowTable.check(3, count: 1 << 20, width: 128)
        for tables in [4, Int.max] {
            let error = #expect(throws: CambiumError.self) {
                try RowTable.check(tables, count: 1 << 29, width: 1 << 16)
            }
            #expect(error?.code == .limit && error?.message.contains("bytes") == true)
        }
    }

    @Test("a table of 34 gigabytes costs what is in it")
    func large() {
        let table = RowTable(count: 1 << 26, width: 128)
        table.set(1 << 26 - 1, [Float](repeating: 1, count: 128))
        #expect(table[1 << 26 - 1]?.count == 128 && table[0] == nil && table.ids.count == 1)
    }
}
