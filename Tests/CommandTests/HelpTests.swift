import ArgumentParser
import Testing

@testable import CambiumCommand

@Suite("Help")
struct HelpTests {
    private static let types = CambiumRoot.configuration.groupedSubcommands.flatMap(\.subcommands)
    /// Commands that are no groups of commands.
    private static let commands = types.filter { $0.configuration.subcommands.isEmpty }
        .compactMap { $0.configuration.commandName }
    /// The words behind `cambium` of every command, those of groups included.
    private static let pages: [[String]] = types.flatMap { type -> [[String]] in
        let name = type.configuration.commandName ?? ""
        return [[name]]
            + type.configuration.subcommands.map { [name, $0.configuration.commandName ?? ""] }
    }

    @Test("the root lists every command by group", arguments: [[], ["--help"], ["help"]])
    func root(_ arguments: [String]) throws {
        let run = try Session().start(arguments).end()
        #expect(run.status == 0)
        #expect(run.text.hasPrefix(Self.opening))
        let groups = run.lines.filter { $0.hasSuffix(" SUBCOMMANDS:") }.map { $0.dropLast(13) }
        #expect(groups == ["STORE", "DATA", "HISTORY", "MERGE", "REMOTES", "MODEL", "CARE"])
        #expect(CambiumRoot.names.count > 30)
        for command in Self.types.compactMap({ $0.configuration.commandName }) {
            #expect(
                run.lines.contains {
                    $0.hasPrefix("  \(command) ") || $0.hasPrefix("  \(command), ")
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

        `cambium help COMMAND` has examples; `cambium help revisions`, `cambium help
        words` and `cambium help exit-codes` explain the rest.
        """

    @Test("every command's help has an example and the store option", arguments: commands)
    func command(_ name: String) throws {
        let run = try Session().expect("help", name)
        #expect(run.lines.contains { $0.hasPrefix("cambium \(name)") })
        for option in [
            "-C, --store <path>", "--json", "--quiet", "--progress", "--no-color", "--no-pager",
        ] {
            #expect(run.text.contains(option), "\(option)")
        }
    }

    @Test("an example stands in one line, and the program understands it", arguments: pages)
    func examples(_ page: [String]) throws {
        let type = try #require(
            Self.types.first { $0.configuration.commandName == page[0] })
        let configuration =
            page.count == 1
            ? type.configuration
            : try #require(
                type.configuration.subcommands.first { $0.configuration.commandName == page[1] }
            ).configuration
        let shown = try Session().start(["help"] + page).end().lines
        for line in configuration.discussion.split(separator: "\n")
        where line.hasPrefix("cambium ") {
            #expect(shown.contains(line), "wrapped: \(line)")
            for words in ShellLine.commands(in: String(line)) where words.first == "cambium" {
                #expect(throws: Never.self, "\(line)") {
                    try CambiumRoot.parseAsRoot(Array(words.dropFirst()))
                }
            }
        }
    }

    @Test("the exit statuses are one page")
    func statuses() throws {
        let run = try Session().expect("help", "exit-codes")
        for status in ["0  done", "1  ", "2  ", "3  ", "4  ", "5  ", "64  ", "130  "] {
            #expect(run.lines.contains { $0.drop { $0 == " " }.hasPrefix(status) }, "\(status)")
        }
        #expect(try Session().expect("help", "revisions").text.contains("main~2"))
        #expect(try Session().expect("help", "words").text.contains("reflog"))
    }

    @Test("a misspelt command is answered with the right one")
    func misspelt() throws {
        let run = try Session().run("comit", "x")
        #expect(run.status == 64)
        #expect(run.errors.contains("there is no command 'comit'"))
        #expect(run.errors.contains("did you mean `cambium commit`?"))
    }

    @Test("what other programs have and this one needs not is told so")
    func elsewhere() throws {
        let session = try Session.history()
        for words in [["merge", "left", "--abort"], ["revert", "--abort"]] {
            let run = try session.start(words).end()
            #expect(run.status == 64 && run.errors.contains("nothing half done"), "\(run.errors)")
        }
        let negative = try session.run("log", "-n", "-1")
        #expect(negative.status == 64 && negative.errors.contains("-n is -1; give 0 or more"))
        let folder = try session.run("eval", "main", "--text", "base")
        #expect(folder.status == 1 && folder.errors.contains("base is a folder"))
    }

    @Test("no line of the page of words is wrapped")
    func words() throws {
        let lines = try Session().expect("help", "words").lines.dropFirst()
            .prefix { !$0.hasPrefix("OPTIONS") }
        let whole = WordsTopic.configuration.discussion.split(separator: "\n")
        #expect(lines.count == whole.count && whole.count > 20)
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
