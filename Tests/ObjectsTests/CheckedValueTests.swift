import Elements
import KeyValue
import Objects
import TestSupport
import Testing

@Suite("Checked values")
struct CheckedValueTests {
    private func withTables(
        _ body: (Environment) throws -> Void
    ) throws {
        try withScratchDirectory { directory in
            try body(
                EnvironmentRegistry.open(
                    directory, tables: ["notes", "others"], readOnly: false, creating: true))
        }
    }

    @Test("what was stored comes back, also when it is empty", arguments: [0, 1, 100, 5_000])
    func roundTrip(count: Int) throws {
        try withTables { environment in
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0) }
            let table = environment.table("notes")
            try environment.write("test") { transaction in
                try transaction.putChecked(table, [1, 2], bytes)
            }
            try environment.read { (transaction) throws in
                #expect(try transaction.checkedValue(table, [1, 2]) == bytes)
                #expect(try transaction.checkedValue(table, [1, 3]) == nil)
            }
        }
    }

    @Test("each flipped bit of the value is found, and another key or table")
    func flips() throws {
        try withTables { environment in
            let (table, key) = (environment.table("notes"), Array("heads/main".utf8))
            let value = CheckedValue.seal([1, 2, 3], table, key)
            #expect(value.count == 3 + CheckedValue.checksumCount)
            #expect(CheckedValue.open(MappedBytes(copying: value), table, key) == [1, 2, 3])
            for bit in 0..<(8 * value.count) {
                var flipped = value
                flipped[bit / 8] ^= 1 << UInt8(bit % 8)
                #expect(CheckedValue.open(MappedBytes(copying: flipped), table, key) == nil)
            }
            let stored = MappedBytes(copying: value)
            #expect(!CheckedValue.isIntact(stored, table, Array("heads/maim".utf8)))
            #expect(!CheckedValue.isIntact(stored, environment.table("others"), key))
            for count in 0..<value.count {
                let short = MappedBytes(copying: Array(value.prefix(count)))
                #expect(CheckedValue.open(short, table, key) == nil)
            }
        }
    }

    @Test("a damaged value is an error that says so")
    func damaged() throws {
        try withTables { environment in
            let table = environment.table("notes")
            try environment.write("test") { transaction in
                try transaction.put(table, [1], [1, 2, 3])
            }
            let error = #expect(throws: CambiumError.self) {
                try environment.read { transaction in
                    try transaction.checkedValue(table, [1])
                }
            }
            #expect(error?.code == .corrupt)
            #expect(error?.message.contains("verify") == true)
        }
    }
}
