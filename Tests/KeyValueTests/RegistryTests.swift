import Elements
import KeyValue
import TestSupport
import Testing

@Suite("The registry of environments")
struct RegistryTests {
    @Test("one process has an environment open once, under any spelling of its path")
    func once() throws {
        try withScratchDirectory { directory in
            let first = try EnvironmentRegistry.open(
                directory, tables: ["a"], readOnly: false, creating: true)
            let second = try EnvironmentRegistry.open(
                directory + "/../" + (directory.split(separator: "/").last ?? ""),
                tables: ["a"], readOnly: false)
            let third = try EnvironmentRegistry.open(directory, tables: ["a"], readOnly: true)
            #expect(first === second && second === third)
            #expect(try EnvironmentRegistry.isOpen(directory))
        }
    }

    @Test("it is closed with its last user, and can be opened again")
    func closes() throws {
        try withScratchDirectory { directory in
            for round in 0..<3 {
                do {
                    let environment = try EnvironmentRegistry.open(
                        directory, tables: ["a"], readOnly: false, creating: round == 0)
                    try environment.write("test") { transaction in
                        try transaction.put(environment.table("a"), [UInt8(round)], [1])
                    }
                }
                #expect(try !EnvironmentRegistry.isOpen(directory))
            }
        }
    }

    @Test("a table that is missing is an error, not made, and the failure leaves nothing open")
    func missingTable() throws {
        try withScratchDirectory { directory in
            do {
                _ = try EnvironmentRegistry.open(
                    directory, tables: ["a"], readOnly: false, creating: true)
            }
            for _ in 0..<2 {
                let error = #expect(throws: CambiumError.self) {
                    try EnvironmentRegistry.open(directory, tables: ["a", "b"], readOnly: false)
                }
                #expect(error?.code == .corrupt)
            }
            #expect(try !EnvironmentRegistry.isOpen(directory))
            _ = try EnvironmentRegistry.open(directory, tables: ["a"], readOnly: false)
        }
    }

    /// What broke: an environment could be opened anew while another thread was closing it, which
    /// dropped the locks of the new one.
    @Test("opening and closing on many threads at once keeps it single")
    func race() async throws {
        let directory = try makeScratchDirectory()
        defer { removeTree(directory) }
        do {
            _ = try EnvironmentRegistry.open(
                directory, tables: ["a"], readOnly: false, creating: true)
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for task in 0..<8 {
                group.addTask {
                    for round in 0..<40 {
                        let environment = try EnvironmentRegistry.open(
                            directory, tables: ["a"], readOnly: false)
                        try environment.write("test") { transaction in
                            let key = [UInt8(task), UInt8(round)]
                            try transaction.put(environment.table("a"), key, key)
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
        let environment = try EnvironmentRegistry.open(directory, tables: ["a"], readOnly: true)
        let count = try environment.read { transaction in
            try transaction.statistics(environment.table("a")).entries
        }
        #expect(count == 320)
    }
}
