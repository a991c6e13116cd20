internal import ArgumentParser
internal import Cambium
internal import Reporting

struct RoundCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "round",
        abstract: "Run rounds of training as tasks on many machines; list and drop stopped ones.",
        discussion: """
            A task of a scheduler is `round run`: clone the base from a remote, run a command, push what it \
            committed to a branch of its own. `round submit` makes tasks of a list, with a merge behind them, for \
            Slurm, for Kubernetes, or as processes here. docs/rounds.md tells what happens when machines fail.

            cambium round run --remote s3://b/m --branch law --base main -- ./train.sh
            cambium round submit --remote s3://b/m --tasks 4 --merge main -- ./train {0}
            cambium round status round-3fa94c21

            Ctrl-C in `train` keeps where the round is, beside the store's data and for one round of each \
            branch; so does a round that was trained and could not be committed. The same `train` with \
            --resume goes on, and ends with the bits of a round that was not stopped.

            cambium round ls
            cambium round show swahili
            cambium round drop swahili
            """,
        subcommands: [
            RoundRunCommand.self, RoundSubmitCommand.self, RoundStatusCommand.self,
            RoundMergeCommand.self, RoundBaseCommand.self, RoundListCommand.self,
            RoundShowCommand.self, RoundDropCommand.self,
        ])
}

struct RoundListCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "ls", abstract: "List the rounds that were stopped.",
        discussion: "cambium round ls")

    @OptionGroup var global: GlobalOptions

    func run(_ console: Console) throws {
        console.show(
            RoundsReport(
                rounds: try openForReading().stoppedRounds(), now: Signature.current.time),
            paged: true)
    }
}

struct RoundShowCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Show a round that was stopped: its options, and how to go on.",
        discussion: "cambium round show swahili")

    @Argument(help: "The branch of the round.", completion: Completion.branches)
    var branch: String

    @OptionGroup var global: GlobalOptions

    func run(_ console: Console) throws {
        console.show(
            RoundReport(
                round: try openForReading().stoppedRound(of: branch), now: Signature.current.time),
            paged: true)
    }
}

struct RoundDropCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "drop",
        abstract: "Drop a round that was stopped; what it had learned is gone.",
        discussion: "cambium round drop swahili")

    @Argument(help: "The branch of the round.", completion: Completion.branches)
    var branch: String

    @OptionGroup var global: GlobalOptions

    func run(_ console: Console) throws {
        console.show(RoundDropReport(round: try openStore().discardStoppedRound(of: branch)))
    }
}

/// All rounds that were stopped.
struct RoundsReport: Report {
    let rounds: [StoppedRoundInfo]
    let now: Int64

    enum CodingKeys: String, CodingKey { case rounds }

    func lines(_ style: Style) -> [String] {
        guard !rounds.isEmpty else { return [style.faint("no round was stopped")] }
        var table = TextTable([.left, .right, .left, .right, .left])
        for round in rounds {
            table.add([
                style.name(round.title), Quantity.count(round.steps, "step"),
                "\(Quantity.fixed(round.loss, 3)) bits per byte", Quantity.bytes(round.bytes),
                round.time == 0 ? "" : Timestamp.relative(round.time, now: now),
            ])
        }
        return table.lines()
    }

    func quietLines() -> [String] { rounds.map(\.title) }
}

/// One round that was stopped.
struct RoundReport: Report {
    let round: StoppedRoundInfo
    let now: Int64

    func encode(to encoder: any Encoder) throws { try round.encode(to: encoder) }

    func lines(_ style: Style) -> [String] {
        var table = TextTable([.left, .left])
        table.add(["branch", style.name(round.title)])
        if !round.message.isEmpty { table.add(["message", round.message.firstLine]) }
        if round.time > 0 {
            table.add(["stopped", Timestamp.full(round.time, now: now) + " by \(round.author)"])
        }
        table.add([
            "steps", "\(Quantity.count(round.steps)) in \(Quantity.fixed(round.seconds, 1)) s",
        ])
        table.add(["loss", "\(Quantity.fixed(round.loss, 3)) bits per byte"])
        table.add(["file", "training/\(round.file), \(Quantity.bytes(round.bytes))"])
        for (key, value) in round.options.sorted(by: { $0.key < $1.key }) {
            table.add(["option", "\(key) = \(value)"])
        }
        let next =
            round.request.map { "\($0) --resume" } ?? "the same `cambium train` with --resume"
        return table.lines() + ["go on with: \(next)"]
    }

    func quietLines() -> [String] { [round.title] }
}

/// A round that was dropped.
struct RoundDropReport: Report {
    let round: StoppedRoundInfo

    func encode(to encoder: any Encoder) throws { try round.encode(to: encoder) }

    func lines(_ style: Style) -> [String] {
        [
            "dropped the round of \(style.name(round.title)), which had done "
                + "\(Quantity.count(round.steps, "step"))"
        ]
    }

    func quietLines() -> [String] { [round.title] }
}

extension StoppedRoundInfo {
    /// What names it: its branch, or its file when the branch is not known.
    var title: String { branch.isEmpty ? file : branch }
}
