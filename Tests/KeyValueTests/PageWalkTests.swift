import Elements
import Files
import KeyValue
import TestSupport
import Testing

@Suite("Walks through LMDB's pages")
struct PageWalkTests {
    private func report(_ environment: Environment) throws -> PageReport {
        try #require(
            try environment.read { transaction in
                try environment.pageReport(transaction)
            })
    }

    @Test(
        "after any operations each page is in use or free, and the walk agrees with LMDB's counts")
    func randomOperations() throws {
        var generator = SeededGenerator.announced()
        try withScratchDirectory { directory in
            let environment = try EnvironmentRegistry.open(
                directory, tables: ["a", "b"], readOnly: false, creating: true)
            #expect(try report(environment).damages.isEmpty)
            for round in 0..<60 {
                try environment.write("test") { transaction in
                    for _ in 0..<Int.random(in: 1...80, using: &generator) {
                        let name = Bool.random(using: &generator) ? "a" : "b"
                        let table = environment.table(name)
                        let length = Int.random(in: 1...40, using: &generator)
                        let key =
                            [UInt8.random(in: 0...255, using: &generator)]
                            + generator.bytes(length).map { $0 % 3 }
                        let sizes = [0...40, 500...2_100, 3_000...20_000]
                        switch Int.random(in: 0..<10, using: &generator) {
                        case 0..<6:
                            let range = sizes[Int.random(in: 0..<3, using: &generator)]
                            let size = Int.random(in: range, using: &generator)
                            try transaction.put(table, key, generator.bytes(size))
                        case 6..<9:
                            var found: [[UInt8]] = []
                            try transaction.scan(table, from: key) {
                                key, _ in
                                found.append(key)
                                return found.count < 4
                            }
                            for key in found { try transaction.delete(table, key) }
                        default:
                            if round % 20 == 19 { try transaction.clear(table) }
                        }
                    }
                }
                let damages = try report(environment).damages
                #expect(damages.isEmpty, "round \(round): \(damages.prefix(3))")
            }
        }
    }

    @Test("a file that is damaged below its tables is not opened, and the report lists its pages")
    func damaged() throws {
        try withScratchDirectory { directory in
            do {
                let environment = try EnvironmentRegistry.open(
                    directory, tables: ["a"], readOnly: false, creating: true)
                try environment.write("test") { transaction in
                    for number in 0..<200 {
                        try transaction.put(
                            environment.table("a"), [UInt8(number)], noise(300, number))
                    }
                }
            }
            let path = directory + "/data.mdb"
            let sound = try readStoreFile(path, limit: 1 << 24)
            #expect(try EnvironmentRegistry.pageReport(directory).damages.isEmpty)
            // The flags and the bounds of every page behind the meta pages that is not free.
            for offset in [10, 12, 14] {
                var bytes = sound
                for page in stride(from: 8_192, to: bytes.count, by: 4_096)
                where bytes[page + 10] == 2 { bytes[page + offset] ^= 8 }
                try writeStoreFile(path, bytes)
                let error = #expect(throws: CambiumError.self) {
                    try EnvironmentRegistry.open(directory, tables: ["a"], readOnly: true)
                }
                #expect(error?.code == .corrupt)
                let report = try EnvironmentRegistry.pageReport(directory)
                #expect(report.damages.count >= 1)
                #expect(report.damages.allSatisfy { $0.subject.hasPrefix("page ") })
            }
            try writeStoreFile(path, Array(sound.dropLast(4_096)))
            #expect(
                throws: CambiumError.self,
                performing: {
                    try EnvironmentRegistry.open(directory, tables: ["a"], readOnly: true)
                })
        }
    }
}
