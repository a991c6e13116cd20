internal import ArgumentParser
internal import Cambium
internal import FoundationEssentials

struct RoundSubmitCommand: StoreCommand {
    enum Engine: String, ExpressibleByArgument, CaseIterable { case slurm, local, print }
    enum Form: String, ExpressibleByArgument, CaseIterable { case slurm, kubernetes }

    static let configuration = CommandConfiguration(
        commandName: "submit",
        abstract: "Run a list of tasks as rounds, each on its own branch, and merge them.",
        discussion: """
            Each task is a `round run`; when all have ended well, `round merge` merges their branches. Slurm gets an \
            array of jobs and a job behind it; local runs processes of this machine; print writes the scripts, or the \
            manifests of Kubernetes, to standard output. Given again, finished rounds are found on the remote and not \
            run again.

            A file of tasks has a line of JSON for each: {"name": "law", "rate": 1e-4}. In the command {name} and \
            {rate} stand for them, and {index} for its number; {{name}} is {name} itself. The branch is train/NAME.

            Scripts, output and what `round status` reads are in a folder named after the submission.

            cambium round submit --remote s3://b --tasks t.jsonl --merge main -- ./t {name}
            cambium round submit --engine local --remote s3://b --tasks 4 --merge x -- ./t
            cambium round submit --remote s3://b --tasks 64 --jobs 8 --merge x -- ./t {0}
            cambium round submit --engine print --remote s3://b --tasks 4 --merge x -- ./t
            """)

    @Option(help: "Where they run: slurm, local, or print for scripts on standard output.")
    var engine = Engine.slurm

    @Option(name: .customLong("as"), help: "What print writes: slurm or kubernetes.")
    var form = Form.slurm

    @Option(
        help: ArgumentHelp("Tasks, one in a line of JSON; or how many.", valueName: "file|number"))
    var tasks: String

    @OptionGroup var remote: RoundRemoteOptions

    @Option(help: "The remote's branch that the rounds are merged into.")
    var merge: String

    @Option(
        help:
            "What they start from: a branch of the remote, or a commit's id (default: the branch of --merge)."
    )
    var base: String?

    @Option(help: "The branch that has that commit (default: the one that is at it).")
    var baseBranch: String?

    @Option(help: "What a branch's name has before the task's.")
    var branchPrefix = "train/"

    @Option(help: "How the merge settles conflicts, as in `merge`.")
    var policy = PolicyOption(.none)

    @Option(help: "Names jobs and the folder (default: round- and digits of the rounds' keys).")
    var name: String?

    @Option(
        help: ArgumentHelp("The folder of scripts and output.", valueName: "path"),
        completion: .directory)
    var folder: String?

    @Option(help: "Tasks at once (default: Slurm decides; local: one for two processors).")
    var jobs: Int?

    @Option(
        help: ArgumentHelp(
            "An option of sbatch for all jobs; may be repeated.", valueName: "option"))
    var sbatchOption: [String] = []

    @Option(help: ArgumentHelp("The container's image, for Kubernetes.", valueName: "image"))
    var image: String?

    @Option(
        help: ArgumentHelp(
            "Cambium on the nodes (default: this program's path; for Kubernetes cambium).",
            valueName: "path"))
    var program: String?

    @Option(
        name: .shortAndLong, parsing: .unconditional,
        help: "Of rounds that their command does not commit.")
    var message: String?

    @Flag(help: "Take rounds that change nothing.")
    var allowEmpty = false

    @Flag(help: "Submit to Slurm and do not wait; `round status` tells how it goes.")
    var detach = false

    @Argument(parsing: .postTerminator, help: ArgumentHelp("What trains.", valueName: "command"))
    var command: [String]

    @OptionGroup var global: GlobalOptions
}

extension RoundSubmitCommand {
    func validate() throws {
        if engine != .print, form != .slurm || image != nil {
            throw ValidationError("--as and --image are for --engine print")
        }
        if engine == .print, form == .kubernetes, image == nil {
            throw ValidationError(
                "--as kubernetes needs --image, the container with cambium and the command")
        }
        if !sbatchOption.isEmpty, engine == .local || form == .kubernetes {
            throw ValidationError("--sbatch-option is for Slurm")
        }
        if let bad = sbatchOption.first(where: {
            !$0.hasPrefix("-") || $0.contains(where: \.isNewline)
        }) {
            throw ValidationError(
                "--sbatch-option '\(bad)' is none; give it as --sbatch-option=--time=2:00:00")
        }
        if let jobs, jobs < 1 { throw ValidationError("--jobs must be at least 1") }
        if detach, engine != .slurm { throw ValidationError("--detach is for --engine slurm") }
        if let name, name.isEmpty || !name.utf8.allSatisfy(Self.isPlain) {
            throw ValidationError(
                "--name is for jobs and a folder: letters, digits, '.', '_' and '-'")
        }
    }

    /// A name that the same tasks have again, wherever the branches are then.
    private func defaultName(_ tasks: [RoundTask], _ source: RoundSource) -> String {
        let words = [source.url, merge, base ?? "", branchPrefix] + command + tasks.map(\.json)
        return "round-" + RoundIdentity.digest(of: words).prefix(8)
    }

    /// What the tasks are as rounds from a base.
    private func identify(
        _ tasks: [RoundTask], from base: String
    ) throws -> [RoundSubmission.Task] {
        try tasks.map { task in
            let identity = try RoundIdentity(
                base: base, branch: branchPrefix + task.name,
                command: command.map { try task.filling($0) }, task: task)
            return RoundSubmission.Task(
                index: task.index, name: task.name, branch: identity.branch, key: identity.key)
        }
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case 48...57, 65...90, 97...122, UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
            true
        default: false
        }
    }

    func run(_ console: Console) throws {
        let list = try RoundTasks.read(tasks)
        let source = try remote.source(in: try? global.storePath())
        let name = name ?? defaultName(list, source)
        let place = ScratchFolder.absolute(folder ?? name)
        let before = try engine == .print ? nil : RoundSubmission.before(in: place)
        // What no task can fill is refused here, and not on a node.
        let again = try before.map { try identify(list, from: $0.base) }
        // Submitted again, when the branch may have been merged into, they are still the same rounds.
        let same = before.flatMap {
            $0.remote == source.url && $0.into == merge && $0.tasks == again
                && (base == nil || base == $0.base || base == $0.baseBranch) ? $0 : nil
        }
        let start = try source.heads().base(
            same?.base ?? base ?? merge, in: same?.baseBranch ?? baseBranch)
        let rounds = try identify(list, from: start.commit)
        if rounds.contains(where: { $0.branch == merge || $0.branch == start.branch }) {
            throw Failure(
                .usage, "a round's branch is the one that has the base, or that is merged into",
                hint: "give them another --branch-prefix")
        }
        let scripts = RoundScripts(
            name: name,
            program: program ?? (form == .kubernetes ? "cambium" : Terminal.program),
            remote: source.words, base: start.commit, baseBranch: start.branch,
            branch: branchPrefix + "{name}", tasks: list,
            rounds: rounds.map { RoundLine(branch: $0.branch, key: $0.key) },
            runOptions: (message.map { ["--message", $0] } ?? [])
                + (allowEmpty ? ["--allow-empty"] : []),
            mergeOptions: ["--policy", policy.policy.rawValue], into: merge, command: command,
            author: Signature.current.author, jobs: jobs)
        var submission = RoundSubmission(
            name: name, engine: engine.rawValue, remote: source.url, access: source.access,
            base: start.commit,
            baseBranch: start.branch, into: merge, tasks: rounds)
        switch engine {
        case .print:
            let text =
                try form == .slurm
                ? scripts.slurm(folder: place, options: sbatchOption)
                : scripts.kubernetes(image: image ?? "", wait: "7d")
            // A script is no text for people: no byte of it may be another in a file.
            if console.isJSON {
                console.show(ScriptReport(script: text))
            } else {
                console.write(file: Array(text.utf8))
            }
        case .local:
            try ScratchFolder.make(place)
            try submission.write(to: place)
            for (name, lines) in [("tasks", scripts.taskLines), ("rounds", scripts.roundLines)] {
                try ScratchFolder.write(
                    lines.map { $0 + "\n" }.joined(), to: "\(place)/\(name).jsonl")
            }
            console.note("\(name): output is in \(place)")
            let rounds = LocalRounds(
                scripts: scripts, folder: place, jobs: jobs ?? max(1, Terminal.processors / 2))
            let isMerged = try rounds.run { task, status in
                let name = task.map { list[$0].name } ?? "merge"
                console.note(
                    status == 0 ? "\(name)  done" : "\(name)  ended with status \(status)")
                submission.statuses[task.map { "\($0)" } ?? "merge"] = status
                try submission.write(to: place)
            }
            console.show(try RoundStatus(submission, source, folder: place))
            if !isMerged { throw Ended(status: .failure) }
        case .slurm:
            if let job = before?.job, try Slurm.queue()[job] != nil {
                throw Failure(
                    .busy, "\(name) is in the queue already, as job \(job)",
                    hint:
                        "`cambium round status \(place)` tells how it goes, `scancel \(job)` ends it"
                )
            }
            try ScratchFolder.make(place)
            let array = "\(place)/rounds.sbatch"
            let last = "\(place)/merge.sbatch"
            try ScratchFolder.write(
                scripts.slurmArray(folder: place, options: sbatchOption), to: array)
            try ScratchFolder.write(
                scripts.slurmMerge(folder: place, options: sbatchOption), to: last)
            let job = try Slurm.submit(array)
            submission.job = job
            try submission.write(to: place)
            submission.mergeJob = try Slurm.submit(last, RoundScripts.dependency(on: job))
            try submission.write(to: place)
            console.note(
                "\(name): jobs \(job) and \(submission.mergeJob ?? ""); output is in \(place)")
            if detach { return console.show(try RoundStatus(submission, source, folder: place)) }
            try RoundFollowing.run(submission, source, folder: place, console)
        }
    }
}

/// Scripts for a scheduler.
struct ScriptReport: Report {
    let script: String

    func lines(_ style: Style) -> [String] { [script] }
}
