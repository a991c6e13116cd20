import CCambium
import CProgram
import Cambium
import CambiumC
import CheckpointSupport
import Foundation
import Reporting
import TestSupport
import Testing

/// Programs in C (Tests/CProgram) that use the interface; each in a process of its own, which a trap would end.
@Suite("The C interface")
struct CInterfaceTests {
    @Test(
        "does what a program in C asks for",
        arguments: [
            "reads", "commits", "patches", "keeps history", "is refused", "cancels", "forks",
            "forks while it opens", "shares handles", "runs a model", "survives", "example",
        ])
    func uses(_ name: String) async throws {
        await #expect(processExitsWith: .success) { [name = name as String] in
            let folder = GeneratedCheckpoints.path(
                name == "runs a model" ? "peer-lm/base" : "hf/qwen3_moe/model")
            try withScratchDirectory { work in
                let code = unsafe program(name, folder, work)
                try #require(code == 0)
            }
        }
    }

    @Test("names every code, and no other, as the library's errors are named")
    func codes() {
        var names: Set<String> = []
        for number in 1..<200 {
            let text = unsafe cambium_code_name(cambium_code(rawValue: UInt32(number)))
            let name = unsafe text.map { unsafe String(cString: $0) } ?? ""
            if name != "unknown" { #expect(names.insert(name).inserted, "\(name)") }
        }
        let own = Set(CambiumError.Code.allCases.map(\.rawValue))
        #expect(names == own.union(["closed", "forked", "internal"]))
    }

    @Test("is shown in the docs by a program that is compiled")
    func example() throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        func text(_ path: String) throws -> String {
            String(decoding: try Data(contentsOf: root.appending(path: path)), as: UTF8.self)
        }
        let program = try text("Tests/CProgram/example.c")
        #expect(try text("docs/c.md").contains("```c\n\(program)```"))
    }

    @Test("tells the program's version")
    func version() {
        let version = unsafe String(cString: cambium_version())
        #expect(version == programVersion)
    }
}
