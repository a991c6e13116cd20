import Elements
import KeyValue
import TestSupport
import Testing

@Suite("Environments")
struct EnvironmentTests {
    private func withEnvironment<Result>(
        observer: (@Sendable (String) -> Void)? = nil, _ body: (Environment, Table) throws -> Result
    ) throws -> Result {
        try withScratchDirectory { directory in
            let environment = try EnvironmentRegistry.open(
                directory, tables: ["a", "b"], readOnly: false, creating: true, observer: observer)
            return try body(environment, environment.table("a"))
        }
    }

    private func put(_ environment: Environment, _ keys: [[UInt8]]) throws {
        try environment.write("test") { transaction in
            for key in keys { try transaction.put(environment.table("a"), key, key + [9]) }
        }
    }

    @Test("what was written is read, replaced and removed")
    func basics() throws {
        try withEnvironment { environment, table in
            try put(environment, [[1], [2], [3, 4]])
            try environment.write("test") { transaction in
                try transaction.put(table, [2], [])
                let removed = try transaction.delete(table, [1])
                let missing = try transaction.delete(table, [7])
                #expect(removed && !missing)
            }
            try environment.read { transaction in
                let values = (
                    try transaction.value(table, [1]), try transaction.value(table, [2]),
                    try transaction.value(table, [3, 4])
                )
                #expect(values == (nil, [], [3, 4, 9]))
                let other = try transaction.value(environment.table("b"), [2])
                #expect(other == nil)
                #expect(try transaction.statistics(table).entries == 2)
            }
        }
    }

    @Test("a scan walks in key order, from a start, until it is told to stop")
    func scan() throws {
        try withEnvironment { environment, table in
            try put(environment, [[2], [1], [3], [2, 0]])
            try environment.read { transaction in
                var keys: [[UInt8]] = []
                try transaction.scan(table) { key, value in
                    #expect(value.copy() == key + [9])
                    keys.append(key)
                    return true
                }
                #expect(keys == [[1], [2], [2, 0], [3]])
                keys = []
                try transaction.scan(table, from: [1, 5]) { key, _ in
                    keys.append(key)
                    return keys.count < 2
                }
                #expect(keys == [[2], [2, 0]])
                try transaction.scan(environment.table("b")) { _, _ in
                    Issue.record("an empty table has no record")
                    return true
                }
            }
        }
    }

    @Test("the last record, and the last key with a prefix, are found")
    func last() throws {
        try withEnvironment { environment, table in
            try environment.read { transaction in
                let none = try transaction.last(table)
                let noKey = try transaction.last(table, prefix: [1])
                #expect(none == nil && noKey == nil)
            }
            try put(environment, [[1, 1], [1, 255], [2], [2, 255, 255], [3, 0]])
            try environment.read { transaction in
                let key = try transaction.last(table)?.key
                #expect(key == [3, 0])
                let found = (
                    try transaction.last(table, prefix: [1]),
                    try transaction.last(table, prefix: [2]),
                    try transaction.last(table, prefix: [3]),
                    try transaction.last(table, prefix: [0]),
                    try transaction.last(table, prefix: [4])
                )
                #expect(found == ([1, 255], [2, 255, 255], [3, 0], nil, nil))
            }
        }
    }

    @Test("an error in a transaction undoes it, and the next one works")
    func abort() throws {
        try withEnvironment { environment, table in
            let error = #expect(throws: CambiumError.self) {
                try environment.write("test") { transaction in
                    try transaction.put(table, [1], [1])
                    throw CambiumError(.busy, "on purpose")
                }
            }
            #expect(error?.code == .busy)
            try put(environment, [[5]])
            try environment.read { (transaction) throws in
                #expect(try transaction.value(table, [1]) == nil)
                #expect(try transaction.value(table, [5]) != nil)
            }
        }
    }

    @Test("a reader sees one state, whatever is written meanwhile")
    func isolation() throws {
        try withEnvironment { environment, table in
            try put(environment, [[1]])
            try environment.read { transaction in
                try put(environment, [[2]])
                #expect(try transaction.value(table, [2]) == nil)
            }
            try environment.read { (transaction) throws in
                #expect(try transaction.value(table, [2]) != nil)
            }
        }
    }

    @Test("large values start 16 bytes into a page, and stay in place while others are written")
    func alignment() throws {
        try withEnvironment { environment, table in
            let value = noise(4096 * 3 - 16, 1)
            try environment.write("test") { transaction in
                try transaction.put(table, [0], value)
            }
            let mapped = try environment.read { transaction in
                try transaction.mapped(table, [0])
            }
            let bytes = try #require(mapped)
            for number in 1..<60 { try put(environment, [[UInt8(number)]]) }
            #expect(bytes.copy() == value)
            let address = unsafe bytes.withUnsafeBytes { UInt(bitPattern: $0.baseAddress) }
            #expect(address % 4096 == 16)
        }
    }

    @Test("a key that LMDB cannot hold is refused")
    func badKeys() throws {
        try withEnvironment { environment, _ in
            for key in [[], [UInt8](repeating: 1, count: 512)] {
                #expect(throws: CambiumError.self) { try put(environment, [key]) }
            }
        }
    }

    @Test("steps are reported in order")
    func steps() throws {
        let counter = StepCounter()
        try withEnvironment(observer: counter.call) { environment, _ in
            try put(environment, [[1]])
        }
        #expect(counter.steps == ["test: begin", "test: before commit", "test: after commit"])
    }

    @Test("a compacted copy holds everything and no free pages")
    func copy() throws {
        try withEnvironment { environment, table in
            try environment.write("test") { transaction in
                for number in 0..<50 {
                    try transaction.put(table, [UInt8(number)], noise(8_000, number))
                }
            }
            try environment.write("test") { transaction in
                for number in 10..<50 { try transaction.delete(table, [UInt8(number)]) }
            }
            #expect(try environment.sizes().free > 200_000)
            try withScratchDirectory { other in
                try environment.copyCompacted(to: other + "/data.mdb")
                #expect(throws: CambiumError.self) {
                    try environment.copyCompacted(to: other + "/data.mdb")
                }
                let copy = try EnvironmentRegistry.open(
                    other, tables: ["a", "b"], readOnly: false)
                try copy.read { transaction in
                    let value = try transaction.value(copy.table("a"), [9])
                    #expect(value == noise(8_000, 9))
                }
                #expect(try copy.sizes().file < 200_000)
            }
        }
    }
}
