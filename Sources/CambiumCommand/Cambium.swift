internal import ArgumentParser
internal import Glibc
internal import Reporting

/// The command line `cambium`.
@main
struct CambiumRoot: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cambium",
        abstract: "Version, merge and run mixture-of-experts models, expert by expert.",
        discussion: """
            cambium init S && export CAMBIUM_STORE=$PWD/S
            cambium commit base -m "base"      # a checkpoint folder or .safetensors file
            cambium branch swahili && cambium switch swahili
            cambium commit branch-swahili -m "round 1: Swahili" --metric wikitext.bpb=2.31
            cambium log --graph && cambium diff main swahili
            cambium generate swahili --prompt "Habari" -n 200

            `cambium help COMMAND` has examples; `cambium help revisions`, `cambium help words` and \
            `cambium help exit-codes` explain the rest. Every command also takes, before or after its name: -C \
            (--store) PATH, --json, -q (--quiet), --progress auto|plain|json|none, --no-color, \
            --no-pager. `cambium --generate-completion-script bash` (or zsh, fish) prints what completes \
            commands, options, and the names of branches, tags and adapters: source it in your shell's start \
            file.
            """,
        version: programVersion,
        subcommands: [RevisionsTopic.self, WordsTopic.self, ExitCodesTopic.self],
        groupedSubcommands: [
            CommandGroup(
                name: "Store",
                subcommands: [
                    InitCommand.self, StatusCommand.self, StatsCommand.self, SharedCommand.self,
                    ConfigCommand.self,
                ]),
            CommandGroup(
                name: "Data",
                subcommands: [
                    CommitCommand.self, ExportCommand.self, LsCommand.self, ShowCommand.self,
                    CatCommand.self,
                ]),
            CommandGroup(
                name: "History",
                subcommands: [
                    LogCommand.self, DiffCommand.self, BranchCommand.self, TagCommand.self,
                    SwitchCommand.self, ResetCommand.self, RevertCommand.self, ReflogCommand.self,
                    NoteCommand.self, ReportCommand.self,
                ]),
            CommandGroup(
                name: "Merge",
                subcommands: [
                    MergeCommand.self, ResolveCommand.self, RestoreCommand.self,
                    EvidenceCommand.self,
                    ForgetCommand.self,
                ]),
            CommandGroup(
                name: "Remotes",
                subcommands: [
                    RemoteCommand.self, CloneCommand.self, FetchCommand.self, PushCommand.self,
                    PullCommand.self,
                ]),
            CommandGroup(
                name: "Model",
                subcommands: [
                    TrainCommand.self, RoundCommand.self, EvalCommand.self, GenerateCommand.self,
                    ServeCommand.self, RouteCommand.self,
                    ProfileCommand.self, QuantizeCommand.self, QuantizeRouterCommand.self,
                    RowsCommand.self, ExpertCommand.self,
                ]),
            CommandGroup(
                name: "Care",
                subcommands: [
                    GcCommand.self, VerifyCommand.self, RepackCommand.self, BackupCommand.self,
                    MigrateCommand.self,
                ]),
        ])

    /// The names of all commands.
    static var names: [String] {
        configuration.groupedSubcommands.flatMap(\.subcommands).flatMap {
            ($0.configuration.commandName.map { [$0] } ?? []) + $0.configuration.aliases
        }
    }

    /// The names of the commands that a command consists of.
    static func commands(of name: String) -> [String] {
        configuration.groupedSubcommands.flatMap(\.subcommands)
            .first { $0.configuration.commandName == name }?.configuration.subcommands
            .compactMap { $0.configuration.commandName } ?? []
    }

    /// The names of commands that consist of commands.
    static var groups: [String] {
        configuration.groupedSubcommands.flatMap(\.subcommands)
            .filter { !$0.configuration.subcommands.isEmpty }
            .compactMap { $0.configuration.commandName }
    }

    /// The names of all pages of help.
    static var pages: [String] {
        names + configuration.subcommands.compactMap { $0.configuration.commandName } + ["help"]
    }

    /// Runs the command that the arguments name.
    static func main() {
        Terminal.prepare()
        Interrupt.begin()
        let words = Array(CommandLine.arguments.dropFirst())
        let status = Invocation(words, unreadable: Terminal.unreadableArgument).run()
        if status == ExitStatus.interrupted.rawValue { Interrupt.endIfAsked() }
        Glibc.exit(status)
    }
}
