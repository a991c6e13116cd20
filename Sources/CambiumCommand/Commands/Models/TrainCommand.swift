internal import ArgumentParser
internal import Cambium
internal import Reporting

struct TrainCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "train",
        abstract: "Train a round on text, and commit it.",
        discussion: """
            A round adds an adapter to the frozen model of a branch: deltas that are active for texts like \
            those it was trained on. Old weights keep their bytes, so nothing is forgotten; a gate, solved \
            from counts of all texts ever trained on, picks adapters from the text itself. Branches that \
            learned different things merge: adapters and counts unite.

            A part of each text is held out (--hold-out) and evaluated before the commit. Ctrl-C commits \
            nothing; --resume goes on, with the rounds behind it too, and `cambium round ls` lists what was stopped. The commit tells every \
            option that the result depends on, and the digest of each text; `cambium show REV --curve` \
            shows how the loss went. With --grow auto, each stretch of some 8,192 bytes is \
            judged: what the gate knows trains its adapter further, what the base knows is left alone, and \
            the rest gets a new adapter, a round each; standard input is read in chunks with --chunk, of \
            which each is judged so.

            Hashed experts are rows that are found by a hash of the last bytes, one for each length of these \
            n-grams (`hash` in config.json). They learn small texts by heart; --row-rate and --row-drop say \
            how fast they learn, and how often bytes do without those of longer n-grams.

            cambium train --init config.json --data english.txt --steps 400 -m "base"
            cambium train --data swahili.txt --branch swahili --seconds 60
            cambium train --data new.txt --grow auto --steps 200
            cambium train --data basque.txt --start-from nearest --steps 400
            cambium train --data small.txt --row-rate 0.02 --row-drop 0.9
            cambium train --data sw.txt --kind lora:16 --new-experts 1 --expert-kind swiglu
            cat stream.txt | cambium train --data - --chunk 500000 --grow auto --steps 200
            cambium train --data facts.txt --edit-experts 64 --steps 100
            cambium train --data more.txt --whole --freeze trunk --steps 100
            cambium train --data more.txt --whole --hold 3 --steps 100
            """)

    /// The shortest text of a round that comes from a stream.
    static let leastChunk = 4_096

    enum Growth: String, ExpressibleByArgument, CaseIterable { case new, auto, edit }

    @Option(
        help: """
            A text file, a folder of .txt files (of train.txt alone, if it has one), or - for standard \
            input. May be repeated.
            """, completion: .file())
    var data: [String]

    @Option(
        help: "The branch (default: HEAD's). A missing one is made from HEAD.",
        completion: Completion.branches)
    var branch: String?

    @Option(name: .shortAndLong, parsing: .unconditional, help: "What the round is.")
    var message: String?

    @Option(
        help: "The adapter's name (default: the name of the first file or folder).",
        completion: Completion.adapters)
    var adapter: String?

    @Option(
        help:
            "What the adapter is: dense (full-rank deltas, the default), small (of embedding, norms and head), lora or lora:RANK."
    )
    var kind: AdapterKind?

    @Option(
        help: ArgumentHelp(
            """
            What a new adapter begins as: another adapter of the same kind and experts by its name, or nearest, \
            which is the one that the gate finds likeliest for the texts, if it is such (default: nothing).
            """, valueName: "adapter"), completion: Completion.adapters)
    var startFrom: String?

    @OptionGroup var newExperts: NewExpertOptions

    @Option(help: "new adapter, edit the named one, or auto: what the gate says of the text.")
    var grow = Growth.new

    @Option(
        name: .customLong("init"),
        help: ArgumentHelp("Train a new base model of these sizes.", valueName: "config.json"),
        completion: .file(extensions: ["json"]))
    var initial: String?

    @Flag(help: "Train the model's own weights instead of an adapter: it forgets.")
    var whole = false

    @Option(
        name: .customLong("edit-experts"),
        help: ArgumentHelp(
            """
            Train this many old experts of each layer, those that the texts use most relative to what the \
            model knows, and nothing else.
            """, valueName: "number"))
    var editedExperts: Int?

    @Option(
        help: ArgumentHelp(
            """
            With --edit-experts: a text that the model knows, where no evidence says what its experts are \
            used for. May be repeated.
            """, valueName: "file"), completion: .file())
    var background: [String] = []

    @Option(
        help:
            "What stays as it is: trunk, experts or both (trunk,experts). An adapter freezes both anyway."
    )
    var freeze: [FrozenParts] = []

    @Flag(
        inversion: .prefixedNo,
        help: """
            Let the counts of the texts predict beside the model (default: as the branch does; on for \
            --init). Once on, it stays.
            """)
    var mixCounts: Bool?

    @Option(help: "Steps of the optimiser; repeatable to the bit.")
    var steps: Int?

    @Option(help: "Bytes to predict; repeatable to the bit.")
    var tokens: Int?

    @Option(help: "Seconds to train (default: 60).")
    var seconds: Double?

    @Option(help: "For runs that can be repeated.")
    var seed: UInt64 = 1

    @Option(help: "Windows of the context length in a step.")
    var windows = 8

    @Option(help: "Threads (default: the processors). The result does not depend on it.")
    var threads: Int?

    @Option(help: "The peak rate of AdamW.")
    var rate = 3e-3

    @Option(
        help: ArgumentHelp("The peak rate of hashed experts (default: 0.1).", valueName: "rate"))
    var rowRate: Double?

    @Option(
        help: ArgumentHelp(
            """
            Share of the bytes, 0 to 1, that are trained without hashed experts of longer n-grams: for texts that \
            are read several times over.
            """, valueName: "share"))
    var rowDrop = 0.0

    @Option(
        help: """
            Weight of the divergence from the model before, which keeps predictions close to its; 0 is not at \
            all.
            """)
    var kl = 0.0

    @Option(
        help: ArgumentHelp(
            """
            With --whole or --edit-experts: hold what experts give, and their routers, so much to what they \
            did on the branch's states of old text (evidence add --kind states).
            """, valueName: "weight"))
    var hold: Double?

    @Option(
        help: ArgumentHelp(
            "What the routers count of --hold, if not as much (--hold 0: they alone).",
            valueName: "weight"))
    var holdRouter: Double?

    @Option(help: "Percent of each text that is held out and evaluated, at its end.")
    var holdOut = 5.0

    @Option(
        name: .customLong("eval"),
        help: ArgumentHelp("Evaluate this text as well; may be repeated.", valueName: "file"),
        completion: .file())
    var evaluated: [String] = []

    @Option(help: ArgumentHelp("Bytes of standard input for a round each.", valueName: "bytes"))
    var chunk: Int?

    @Flag(help: "Go on with the branch's round that Ctrl-C or SIGTERM stopped; repeat its options.")
    var resume = false

    @OptionGroup var global: GlobalOptions

    func run(_ console: Console) throws {
        let store = try openStore()
        let held = zip(
            TextName.unique(evaluated), try evaluated.map { try Terminal.read($0) }
        ).map { HeldOutText(name: $0, bytes: $1) }
        guard let chunk else {
            return try train(store, TrainingFiles.read(data), held, "", console)
        }
        // Each as it comes: the input may be a stream without an end.
        var number = 0
        while case let bytes = try Terminal.readNext(chunk), !bytes.isEmpty {
            guard bytes.count >= Self.leastChunk else {
                let rest = Quantity.count(bytes.count, "byte")
                guard number > 0 else {
                    throw Failure(
                        .usage, "standard input has \(rest); a round needs \(Self.leastChunk)")
                }
                return console.note("the last \(rest) are too few for a round")
            }
            number += 1
            let text = TrainingFiles.Text(name: "stdin", bytes: bytes)
            try train(store, [text], held, "round \(number)", console)
        }
    }

    /// The rounds of some texts: one, unless parts of them are to go different ways.
    private func train(
        _ store: Store, _ texts: [TrainingFiles.Text], _ held: [HeldOutText], _ label: String,
        _ console: Console
    ) throws {
        // A branch that is still to be made starts from HEAD.
        let revision = branch.flatMap { (try? store.resolve($0)) != nil ? $0 : nil } ?? "HEAD"
        let name = adapter ?? texts[0].name
        guard grow == .auto else {
            let isBase = whole || initial != nil || editedExperts != nil
            if !isBase, !resume, (try? store.resolve(revision)) != nil {
                try checkName(name, try store.adapters(revision))
            }
            // What goes on is what was begun, its message too.
            let begun =
                resume && message == nil
                ? try? store.stoppedRound(of: branch ?? headBranch(store)) : nil
            return try round(
                store, texts, name, isKnown: false, nil, resumes: resume, message ?? begun?.message,
                held, label, console)
        }
        let stopped = resume ? try store.stoppedRound(of: branch ?? headBranch(store)) : nil
        var message = message
        // The model as it was before the first of the rounds: what they learned since is known by now.
        let start = try stopped?.plan?.commit ?? store.resolve(revision)
        let plan = try GrowthPlan(texts, store, start)
        if let known = plan.known {
            guard !plan.parts.isEmpty else {
                return console.show(KnownTextReport(familiarity: known))
            }
            console.note(
                "the base knows \(Quantity.count(plan.knownBytes, "byte")) of the text, which are left "
                    + "alone")
        }
        let first = stopped?.plan?.number ?? 1
        guard first <= plan.parts.count else {
            throw Failure(
                .usage, "the stopped round was number \(first) of those of other texts",
                hint: "give the same ones, or start anew without --resume")
        }
        // Between two rounds too: what is asked for then stops the next one at its first step, to be resumed.
        try Interrupt.watching {
            for (index, part) in plan.parts.enumerated().dropFirst(first - 1) {
                let bytes = part.texts.reduce(0) { $0 + $1.bytes.count }
                console.note(
                    KnownTextReport.sentence(part.familiarity)
                        + (plan.parts.count > 1 || plan.known != nil
                            ? " (\(Quantity.count(bytes, "byte")))" : ""))
                if let adapter = part.adapter, newExperts.count != nil || startFrom != nil {
                    let given = newExperts.count == nil ? "another start" : "new experts"
                    console.note(
                        "adapter \(adapter) is trained further as it is, without \(given)")
                }
                let own = part.adapter ?? unused(adapter ?? part.texts[0].name, plan.adapters)
                let resumes = resume && index + 1 == first
                // Behind it the rounds have the same message, unless it was the one that none gives.
                if resumes, let begun = stopped?.message, begun != defaultMessage(own) {
                    message = message ?? begun
                }
                try round(
                    store, part.texts, own, isKnown: part.adapter != nil,
                    RoundPlan(commit: start, number: index + 1), resumes: resumes, message, held,
                    label, console)
            }
        }
    }

    private func headBranch(_ store: Store) throws -> String {
        guard let branch = try store.currentBranch() else {
            throw Failure(.usage, "HEAD is on no branch; name the round's with --branch")
        }
        return branch
    }

    /// Trains one round and commits it.
    private func round(
        _ store: Store, _ texts: [TrainingFiles.Text], _ name: String, isKnown: Bool,
        _ plan: RoundPlan?, resumes: Bool, _ message: String?, _ held: [HeldOutText],
        _ label: String, _ console: Console
    ) throws {
        let (kept, heldOut) = TrainingFiles.split(texts, percent: holdOut)
        var options = TrainOptions(
            CommitOptions(
                message: message ?? defaultMessage(name),
                branch: branch),
            texts: kept,
            target: target(name), budget: budget)
        options.textNames = TextName.unique(texts.map(\.name))
        options.background = try background.map { try Terminal.read($0) }
        options.backgroundNames = TextName.unique(background)
        options.request = Self.request
        options.heldOut = heldOut + held
        options.seed = seed
        options.windows = windows
        options.threads = threads
        options.rate = rate
        options.rowRate = rowRate
        options.rowDrop = rowDrop
        // An adapter that the gate chose is there.
        if let startFrom, !isKnown {
            options.adapterStart = startFrom == "nearest" ? .nearest : .adapter(startFrom)
        }
        options.resumes = resumes
        options.plan = plan
        options.mixesCounts = mixCounts
        options.divergenceWeight = kl
        options.hold = hold.map { TrainHold(output: $0, router: holdRouter ?? $0) }
        // An adapter that the gate chose has what it has.
        options.newExperts = isKnown ? nil : newExperts.chosen
        options.initial = try initial.map { try Terminal.read($0) }
        let result = try Interrupt.watching {
            try console.withProgress(label) { progress in
                try store.train(options, progress: progress.report) { Interrupt.isAsked }
            }
        }
        let curve = console.style.columns == nil ? [] : try store.curve(result.commit).map(\.value)
        console.show(TrainReport(result: result, curve: curve))
        if options.adapterStart == .nearest, result.isNewAdapter, result.startedFrom == nil {
            console.note(
                "no adapter was nearer to the texts than the base and of this form, so the new one began as none"
            )
        }
    }

    /// The command line, as a shell would read it again.
    private static var request: String {
        let words = CommandLine.arguments.dropFirst().filter { $0 != "--resume" }
        return (["cambium"] + words.map(ShellWord.quoted)).joined(separator: " ")
    }

    private func target(_ name: String) -> TrainTarget {
        if let editedExperts { return .experts(editedExperts) }
        guard whole || initial != nil else { return .adapter(name, kind?.form ?? .dense) }
        return .model(
            freezesTrunk: freeze.contains { $0.trunk },
            freezesExperts: freeze.contains { $0.experts })
    }

    private func defaultMessage(_ name: String) -> String {
        if editedExperts != nil { return "edit experts" }
        return whole || initial != nil ? "train the model" : "train adapter \(name)"
    }

    /// A new adapter needs a name of its own, and one that is trained further must be there.
    private func checkName(_ name: String, _ known: [String]) throws {
        if grow == .edit, !known.contains(name) {
            throw Failure(
                .notFound, "the model has no adapter '\(name)' to train further",
                hint: known.isEmpty
                    ? "it has none; leave --grow edit out to add one"
                    : "it has \(known.joined(separator: ", ")); name one with --adapter")
        }
        if grow == .new, known.contains(name) {
            throw Failure(
                .usage, "the model has an adapter '\(name)'",
                hint: "give another name with --adapter, or train that one further with --grow edit"
            )
        }
    }

    private var budget: TrainBudget {
        if let steps { return .steps(steps) }
        if let tokens { return .tokens(tokens) }
        return .seconds(seconds ?? 60)
    }

    /// The name, with a number behind it if it is taken.
    private func unused(_ name: String, _ names: [String]) -> String {
        var (candidate, number) = (name, 1)
        while names.contains(candidate) {
            number += 1
            candidate = "\(name)-\(number)"
        }
        return candidate
    }
}
