internal import ArgumentParser
internal import Cambium
internal import Reporting

struct RoundRunCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Run one round as a task: clone its base, run a command, push its branch.",
        discussion: """
            The base is cloned into a new store on this machine's disk. The command finds in its environment \
            CAMBIUM_STORE, CAMBIUM_BRANCH (HEAD is on it), CAMBIUM_BASE (a commit) and SOURCE_DATE_EPOCH (that \
            commit's time, so that the same round is the same commit). It commits to the branch, or leaves in the \
            folder CAMBIUM_OUTPUT a checkpoint, or one file patch.safetensors as `commit --patch` takes it. Then the \
            branch is pushed. The exit status is the command's; when that is not 0, nothing is pushed. SIGINT, \
            SIGTERM and SIGHUP are passed on to the command and what it started.

            A task that runs again, after a requeue for example, finds its round on the remote by the key in the \
            commit (base, branch, command and task), changes nothing and ends with 0.

            With --tasks and --task, {name} and other fields of the task stand for themselves in the command and the \
            branch, and are CAMBIUM_TASK_NAME and so on in its environment.

            cambium round run --remote file:///nfs/m --branch law --base main -- ./train
            cambium round run --remote s3://b --branch {0} --base x --tasks 4 --task 2 -- t
            """)

    @OptionGroup var remote: RoundRemoteOptions

    @Option(help: "The branch that the round ends on; it is the round's own.")
    var branch: String

    @Option(help: "What it starts from: a branch of the remote, or a commit's whole id.")
    var base: String

    @Option(help: "The branch that has that commit (default: the one that is at it).")
    var baseBranch: String?

    @Option(
        name: .shortAndLong, parsing: .unconditional,
        help: "Of the commit, if the command makes none.")
    var message: String?

    @Option(
        help: ArgumentHelp(
            "Tasks, one in a line of JSON; or how many.", valueName: "file|number"))
    var tasks: String?

    @Option(help: ArgumentHelp("Which of the tasks this is, from 0.", valueName: "number"))
    var task: Int?

    @Flag(
        help: "Take a finished round that began from another commit, as where --base is a branch.")
    var anyBase = false

    @Flag(help: "Take a round that changes nothing: a commit of the same model.")
    var allowEmpty = false

    @Flag(help: "Keep the store on this machine when the round is over.")
    var keep = false

    @Argument(
        parsing: .postTerminator, help: ArgumentHelp("What trains.", valueName: "command"))
    var command: [String]

    @OptionGroup var global: GlobalOptions

    func validate() throws {
        guard (tasks == nil) == (task == nil) else {
            throw ValidationError("--tasks and --task go together: a list, and which of them")
        }
    }

    func run(_ console: Console) throws {
        let chosen = try chosenTask()
        let fill = { (text: String) in try chosen?.filling(text) ?? text }
        let words = try command.map(fill)
        let source = try remote.source()
        let folder = try global.store.map(ScratchFolder.absolute) ?? ScratchFolder.fresh()
        try Interrupt.relaying {
            // Nobody waits for the end of a clone: it stops, and what came is removed.
            let beginning = try Interrupt.watching {
                try console.withProgress("clone") { progress in
                    try RemoteRound.begin(
                        source, base: base, baseBranch: baseBranch, branch: fill(branch),
                        command: words, task: chosen, takesAnyBase: anyBase, in: folder
                    ) {
                        try checkInterrupt()
                        progress.report($0)
                    }
                }
            }
            switch beginning {
            case .finished(let outcome):
                console.show(RoundRunReport(outcome: outcome, store: nil))
            case .ready(let round):
                defer { if !keep { ScratchFolder.remove(folder) } }
                try run(round, words, chosen, folder, console)
            }
        }
    }

    private func run(
        _ round: RemoteRound, _ words: [String], _ task: RoundTask?, _ folder: String,
        _ console: Console
    ) throws {
        let output = folder + "/output"
        try ScratchFolder.make(output)
        try checkInterrupt()
        var variables = task?.variables ?? [:]
        variables["CAMBIUM_STORE"] = folder
        variables["CAMBIUM_BRANCH"] = round.identity.branch
        variables["CAMBIUM_BASE"] = round.identity.base
        variables["CAMBIUM_OUTPUT"] = output
        variables["CAMBIUM_AUTHOR"] = Signature.current.author
        variables["SOURCE_DATE_EPOCH"] = "\(round.time)"
        let status = try ChildProcess(
            words, variables: variables, output: console.isQuiet ? .errors : .shared
        ).wait()
        guard status == 0 else {
            console.note("the command ended with status \(status); nothing was pushed")
            throw Ended(program: status)
        }
        let outcome = try console.withProgress("push") { progress in
            try round.finish(
                output: output, message: message, allowsUnchanged: allowEmpty,
                progress: progress.report)
        }
        console.show(RoundRunReport(outcome: outcome, store: keep ? folder : nil))
    }

    private func checkInterrupt() throws {
        guard Interrupt.isAsked else { return }
        throw Failure(.cancelled, "interrupted before the command began; nothing was pushed")
    }

    private func chosenTask() throws -> RoundTask? {
        guard let tasks, let task else { return nil }
        let all = try RoundTasks.read(tasks)
        guard all.indices.contains(task) else {
            throw Failure(
                .usage,
                "--task \(task): there are \(Quantity.count(all.count, "task")), from 0 to \(all.count - 1)"
            )
        }
        return all[task]
    }
}

/// What became of one round.
struct RoundRunReport: Report {
    let outcome: RoundOutcome
    /// The store on this machine, where it was kept.
    let store: String?

    enum CodingKeys: String, CodingKey { case store }

    func encode(to encoder: any Encoder) throws {
        try outcome.encode(to: encoder)
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(store, forKey: .store)
    }

    func lines(_ style: Style) -> [String] {
        let head = style.name(outcome.branch) + " " + style.id(outcome.commit.short)
        let what =
            outcome.isNew
            ? "\(head) is on \(outcome.url)"
            : "\(outcome.url) has this round already: \(head); nothing was changed"
        return [what] + (store.map { ["the store is \($0)"] } ?? [])
    }

    func quietLines() -> [String] { [outcome.commit] }

    var made: String? {
        outcome.isNew ? "the round was pushed: \(outcome.commit) on \(outcome.branch)" : nil
    }
}
