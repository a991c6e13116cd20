import Foundation
import Testing

@Suite("Settings")
struct SettingsTests {
    private func session() throws -> Session {
        let session = try Session.base()
        session.environment["HOME"] = session.path("home")
        session.environment["CAMBIUM_AUTHOR"] = nil
        return session
    }

    @Test("option, variable, store and user decide in this order")
    func precedence() throws {
        let session = try session()
        func author() throws -> String? {
            try session.expect("commit", "base", "-m", "again", "--allow-empty")
            return try session.expect("show", "--json").json["author"] as? String
        }
        try session.expect("config", "--user", "author", "Uma")
        #expect(try author() == "Ada")
        session.environment["CAMBIUM_AUTHOR"] = ""
        #expect(try author() == "Uma")
        try session.expect("config", "author", "Store Keeper")
        #expect(try author() == "Store Keeper")
        session.environment["CAMBIUM_AUTHOR"] = "Eve"
        #expect(try author() == "Eve")
        session.environment["CAMBIUM_AUTHOR"] = ""
        try session.expect("config", "--unset", "author")
        #expect(try author() == "Uma")
        #expect(try session.expect("config", "author", "-q").text == "Uma\n")
    }

    @Test("settings are listed with where they come from, and read one by one")
    func list() throws {
        let session = try session()
        try session.expect("config", "grace", "30d")
        session.environment["CAMBIUM_PROGRESS"] = "none"
        let json = try session.expect("config", "--json").json
        let settings = try #require(json["settings"] as? [[String: Any]])
        func source(_ name: String) -> String? {
            settings.first { $0["name"] as? String == name }?["source"] as? String
        }
        #expect(source("grace") == "store" && source("progress") == "environment")
        #expect(source("pager") == nil && settings.count == 7)
        #expect(try session.expect("config", "grace").text == "30d\n")
        #expect(try session.run("config", "pager").status == 2)
        #expect(try session.run("config", "nonsense").status == 64)
        #expect(try session.run("config", "--unset").status == 64)
    }

    @Test("a setting is used: grace, progress, colour and the memory limit")
    func used() throws {
        let session = try session()
        try session.expect("config", "grace", "0")
        #expect(try session.expect("gc").text.contains("grace period (0)"))
        #expect(try session.expect("gc", "--grace", "3d").text.contains("(grace 3d)"))
        try session.expect("config", "color", "always")
        #expect(try session.expect("log", "-n1").text.contains("\u{1B}["))
        #expect(try !session.expect("log", "-n1", "--no-color").text.contains("\u{1B}["))
        try session.expect("config", "--unset", "color")
        try session.expect("config", "progress", "json")
        #expect(try session.expect("verify").errors.contains("\"progress\""))
        #expect(try !session.expect("verify", "--progress", "none").errors.contains("progress"))
        try session.expect("config", "memory-limit", "200M")
        try session.write(String(repeating: "the cat ", count: 20), to: "text.txt")
        #expect(try session.expect("eval", "--text", "text.txt", "--json").status == 0)
        try session.write("memory-limit = much\n", to: "S/config")
        let bad = try session.run("eval", "--text", "text.txt")
        #expect(bad.status == 64 && bad.errors.contains("a size such as 300M"))
    }

    @Test("values that make no sense are refused, and a file that is none is named with its line")
    func refused() throws {
        let session = try session()
        for (name, value) in [
            ("grace", "soon"), ("progress", "loud"), ("color", "red"), ("memory-limit", "-1"),
            ("author", "two\nlines"), ("author", "  "),
        ] {
            let run = try session.run("config", name, value)
            #expect(run.status == 64, "\(name) \(value)")
        }
        // A store may come from somebody else: what it names is not run.
        let pager = try session.run("config", "pager", "evil")
        #expect(pager.status == 64 && pager.errors.contains("--user"))
        try session.write("# mine\npager = evil\nnew-thing = 1\ngrace = 1d\n", to: "S/config")
        #expect(try session.run("config", "pager").status == 2)
        try session.expect("config", "grace", "2d")
        #expect(
            try String(contentsOfFile: session.path("S/config"), encoding: .utf8)
                == "# mine\npager = evil\nnew-thing = 1\ngrace = 2d\n")
        try session.write("grace 1d\n", to: "S/config")
        let broken = try session.run("log")
        #expect(broken.status == 64 && broken.errors.contains("S/config, line 1"))
    }
}
