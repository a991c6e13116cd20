import Foundation
import Testing

@Suite("texts that are long, or have no end")
struct TextInputTests {
    private func session() throws -> Session {
        let session = try Session.base()
        try session.write(String(repeating: "abcdefgh", count: 40), to: "text.txt")
        return session
    }

    @Test("of a long file only what is asked for is read, and never all at once")
    func long() throws {
        let session = try session()
        // A hole of 8 GiB behind the text; as one piece it would be refused.
        try session.write(String(repeating: "abcdefgh", count: 40), to: "long")
        let handle = try FileHandle(forWritingTo: URL(filePath: session.path("long")))
        try handle.truncate(atOffset: 8 << 30)
        try handle.close()
        func bits(_ name: String, _ limit: String) throws -> String {
            try session.expect("eval", "main", "--text", name, "--limit", limit, "-q").lines.last
                .map(String.init) ?? ""
        }
        #expect(try bits("long", "320") == bits("text.txt", "all"))
        let routes = try session.shell(
            "ulimit -d 2000000; cambium route main --text long | head -n 3; exit ${PIPESTATUS[1]}")
        #expect(routes.status == 0 && routes.errors == "" && routes.lines.count == 3)
        let short = try session.expect("route", "--text", "text.txt")
        #expect(routes.lines == Array(short.lines.prefix(3)))
        let whole = try session.run("train", "--data", "long", "--steps", "1")
        #expect(whole.status == 1 && whole.errors.contains("name a part of it"))
    }

    @Test("a FIFO is read when somebody writes, and told when nobody does")
    func fifo() throws {
        let session = try session()
        let file = try session.expect("eval", "main", "--text", "text.txt", "-q")
        let fed = try session.shell(
            """
            mkfifo fifo; (sleep 0.5; cat text.txt; sleep 0.5) > fifo &
            cambium eval main --text fifo -q
            """)
        #expect(fed.status == 0 && fed.lines.last == file.lines.last, "\(fed.errors)")
        let piped = try session.shell("cambium eval main --text <(cat text.txt) -q")
        #expect(piped.lines.last == file.lines.last, "\(piped.errors)")
        let none = try session.run("eval", "main", "--text", "fifo")
        #expect(none.status == 1 && none.errors.contains("nobody writes into it"))
    }

    @Test(
        "a device without an end is refused, and its beginning is not",
        arguments: ["/dev/zero", "/dev/urandom"])
    func devices(_ path: String) throws {
        let session = try session()
        for words in [
            ["eval", "main", "--limit", "all", "--text"], ["route", "main", "--text"],
            ["profile", "main", "--text"], ["evidence", "gate", "main", "--text"],
            ["train", "--steps", "1", "--data"],
            ["evidence", "add", "main", "--adapter", "base", "--text"],
        ] {
            // A gate needs evidence.
            if words[1] == "gate" {
                try session.expect(
                    "evidence", "add", "main", "--adapter", "base", "--text", "text.txt")
            }
            let run = try session.start(words + [path]).end()
            #expect(run.status != 0 && run.errors.contains("without an end"), "\(words)")
        }
        try session.expect("eval", "main", "--text", path, "--limit", "64")
    }

    @Test(
        "a terminal is no text, unless it is asked for as standard input",
        .enabled(if: Terminals.isThere, "without script(1)"))
    func terminal() throws {
        let run = try session().terminal("cambium eval main --text /dev/tty; echo \"status $?\"")
        #expect(run.text.contains("is a terminal") && run.text.contains("status 64"))
    }
}
