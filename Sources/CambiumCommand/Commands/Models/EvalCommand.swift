internal import ArgumentParser
internal import Cambium
internal import Reporting

struct EvalCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "eval",
        abstract: "Measure bits per byte of models on texts.",
        discussion: """
            Texts are read in windows of the context length that do not overlap; every byte but a \
            window's first is predicted. Lower is better. Give revisions before --text.

            cambium eval main --text test.txt
            cambium eval main swahili metamath --text data/*/test.txt

            With --stride or --window every token of a text, up to its --limit, is predicted once, \
            however short the text is, in windows that overlap, behind the tokenizer's start token; perplexity is \
            shown as well.

            cambium eval main --text test.txt --stride 512 --limit all
            cambium eval main dev --text a.txt b.txt --stride 256 --csv > table.csv

            --record notes each figure on its commit, as a metric TEXT.bpb, which `log` and `report` show.

            cambium eval main~1 main --text data/*/test.txt --record
            """)

    @Argument(help: "The revisions (default: HEAD).", completion: Completion.revisions)
    var revisions: [String] = []

    @Option(
        parsing: .upToNextOption, help: "Files to predict; may be repeated.", completion: .file())
    var text: [String]

    @Option(help: "Bytes of each text that count, or all.")
    var limit = ByteLimit(count: 20_000)

    @Option(help: "Tokens from one window's start to the next (default: half a window).")
    var stride: Int?

    @Option(help: "Tokens of a window that overlaps others (default: the model's context).")
    var window: Int?

    @Flag(help: "Print a table with commas: a line for each revision and text.")
    var csv = false

    @Option(help: "Threads (default: the processors). The result does not depend on it.")
    var threads: Int?

    @Flag(help: "Report experts and bytes touched, and peak memory.")
    var stats = false

    @Flag(help: "Note the figures on the commits, as metrics TEXT.bpb.")
    var record = false

    @OptionGroup var memory: MemoryOptions
    @OptionGroup var global: GlobalOptions

    func validate() throws {
        if let threads, !(1...1024).contains(threads) {
            throw ValidationError("--threads is \(threads); give 1 to 1024")
        }
        if let stride, stride < 1 { throw ValidationError("--stride is \(stride); give 1 or more") }
        if let window, window < 2 { throw ValidationError("--window is \(window); give 2 or more") }
        if let stride, let window, stride >= window {
            throw ValidationError(
                "--stride is \(stride); give less than --window, which is \(window)")
        }
        if csv, global.json { throw ValidationError("--csv goes without --json") }
    }

    func run(_ console: Console) throws {
        let store = record ? try openStore() : try openForReading()
        var texts: [(path: String, source: TextSource)] = []
        for path in text.map(TextName.file) {
            texts.append((path, try Terminal.source(path, limit: limit.count)))
        }
        let names = TextName.unique(text)
        var meter = MemoryMeter()
        var statistics: [RunStatistics] = []
        var rows: [EvalReport.Row] = []
        let sliding =
            stride == nil && window == nil ? nil : SlidingWindows(window: window, stride: stride)
        noteCuts(texts, sliding, console)
        let revisions = revisions.isEmpty ? ["HEAD"] : revisions
        try console.withProgress { progress in
            // What cannot be measured is told before hours are spent on what can.
            if revisions.count * texts.count > 1 {
                for revision in revisions {
                    let model = try store.model(revision, memory.model)
                    for (path, source) in texts {
                        try Self.naming(path) {
                            try model.checkEvaluation(
                                of: source, limit: limit.count, sliding: sliding)
                        }
                    }
                }
            }
            for revision in revisions {
                let model = try store.model(revision, memory.model)
                model.unused.lines.forEach { console.note("\(revision): \($0)") }
                for (index, (path, source)) in texts.enumerated() {
                    progress.label = "\(revision) on \(names[index])"
                    if try !model.reads(source, limit: limit.count) {
                        console.note(ChatOptions.repaired(path))
                    }
                    let result = try Self.naming(path) {
                        try model.evaluate(
                            source, limit: limit.count, sliding: sliding,
                            threads: threads ?? Terminal.processors
                        ) { step in
                            progress.report(step)
                            if stats { meter.sample(model.statistics) }
                        }
                    }
                    rows.append(
                        EvalReport.Row(
                            revision: revision, text: path, name: names[index], result: result))
                }
                statistics.append(model.statistics)
                if stats { meter.sample(model.statistics) }
                if record {
                    let figures = rows.suffix(texts.count).map {
                        ("\($0.name).bpb", $0.result.bitsPerByte)
                    }
                    try store.addNote(
                        to: revision, text: "", metrics: try dictionary(figures, "--text"))
                }
            }
        }
        let report = EvalReport(
            rows: rows, showsPerplexity: sliding != nil, isTable: csv,
            memory: stats ? meter.peak : nil, statistics: stats ? statistics : nil)
        console.show(report)
        // The table is another program's.
        if csv, stats { report.usageLines.forEach(console.note) }
    }

    /// Tells of texts that are longer than what counts, where the table looks as if all of them did.
    private func noteCuts(
        _ texts: [(path: String, source: TextSource)], _ sliding: SlidingWindows?,
        _ console: Console
    ) {
        guard sliding != nil, let limit = limit.count else { return }
        for (path, _) in texts {
            guard let size = Terminal.size(path), size > limit else { continue }
            console.note(
                "note: of \(path) the first \(Quantity.count(limit)) of \(Quantity.count(size, "byte")) "
                    + "count; --limit all takes all")
        }
    }

    private static func naming<Result>(_ path: String, _ body: () throws -> Result) throws -> Result
    {
        do { return try body() } catch let error as CambiumError {
            throw Failure(error.code, "\(path): \(error.message)", hint: Failure(error).hint)
        }
    }
}
