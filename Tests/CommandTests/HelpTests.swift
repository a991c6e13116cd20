import Testing

@Suite("Help")
struct HelpTests {
    private static let commands = [
        "init", "status", "stats", "commit", "export", "ls", "show", "cat", "log", "diff", "branch",
        "tag", "switch", "reset", "revert", "reflog", "merge", "eval", "generate", "gc", "verify",
        "repack", "route", "quantize-router", "profile", "note", "backup", "config",
        "restore", "forget",
    ]

    @Test("the root lists every command by group", arguments: [[], ["--help"], ["help"]])
    func root(_ arguments: [String]) throws {
        let run = try Session().start(arguments).end()
        #expect(run.status == 0)
        #expect(run.text.hasPrefix(Self.opening))
        let groups = run.lines.filter { $0.hasSuffix(" SUBCOMMANDS:") }.map { $0.dropLast(13) }
        #expect(groups == ["STORE", "DATA", "HISTORY", "MERGE", "MODEL", "CARE"])
        for command in Self.commands {
            #expect(
                run.lines.contains {
                    $0.hasPrefix("  \(command)  ") || $0.hasPrefix("  \(command), ")
                }, "\(command)")
        }
        #expect(run.lines.allSatisfy { $0.count <= 80 })
    }

    private static let opening = """
        OVERVIEW: Version, merge and run mixture-of-experts models, expert by expert.

        cambium init S && export CAMBIUM_STORE=$PWD/S
        cambium commit base -m "base"      # a checkpoint folder or .safetensors file
        cambium branch swahili && cambium switch swahili
        cambium commit branch-swahili -m "round 1: Swahili" --metric wikitext.bpb=2.31
        cambium log --graph && cambium diff main swahili
        cambium generate swahili --prompt "Habari" -n 200

        `cambium help COMMAND` has examples, `cambium help revisions` and `cambium help
        exit-codes` explain the rest.
        """

    @Test("every command's help has an example and the store option", arguments: commands)
    func command(_ name: String) throws {
        let run = try Session().expect("help", name)
        #expect(run.lines.contains { $0.hasPrefix("cambium \(name)") })
        #expect(run.text.contains("-C, --store <path>") && run.text.contains("--json"))
    }

    @Test("the exit statuses are one page")
    func statuses() throws {
        let run = try Session().expect("help", "exit-codes")
        for status in ["0  done", "1  ", "2  ", "3  ", "4  ", "5  ", "6  ", "64  ", "130  "] {
            #expect(run.lines.contains { $0.drop { $0 == " " }.hasPrefix(status) }, "\(status)")
        }
        #expect(try Session().expect("help", "revisions").text.contains("main~2"))
    }

    @Test("a misspelt command is answered with the right one")
    func misspelt() throws {
        let run = try Session().run("comit", "x")
        #expect(run.status == 64)
        #expect(run.errors.contains("there is no command 'comit'"))
        #expect(run.errors.contains("did you mean `cambium commit`?"))
    }

    @Test("help of a command that does not exist is an error, and no far-fetched guess")
    func unknownPage() throws {
        let run = try Session().run("help", "swich")
        #expect(run.status == 64 && run.text == "")
        #expect(run.errors.contains("did you mean `cambium switch`?"))
        #expect(try Session().run("foo").errors.contains("`cambium help` lists the commands"))
        #expect(try Session().expect("help", "help").text.contains("OVERVIEW"))
    }

    @Test("shells get completions", arguments: ["bash", "zsh", "fish"])
    func completions(_ shell: String) throws {
        let run = try Session().expect("--generate-completion-script", shell)
        #expect(run.text.contains("reflog"))
    }
}
