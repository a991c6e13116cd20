internal import ArgumentParser
internal import Cambium

struct EvalCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "eval",
        abstract: "Measure bits per byte of models on texts.",
        discussion: """
            Texts are read in windows of the context length that do not overlap; every byte but a \
            window's first is predicted. Lower is better. Give revisions before --text.

            cambium eval main --text test.txt
            cambium eval main swahili metamath --text data/*/test.txt
            """)

    @Argument(help: "The revisions (default: HEAD).", completion: Completion.revisions)
    var revisions: [String] = []

    @Option(
        parsing: .upToNextOption, help: "Files to predict; may be repeated.", completion: .file())
    var text: [String]

    @Option(help: "Bytes of each text that count, or all.")
    var limit = ByteLimit(count: 20_000)

    @Option(help: "Threads (default: the processors). The result does not depend on it.")
    var threads: Int?

    @Flag(help: "Report experts and bytes touched, and peak memory.")
    var stats = false

    @OptionGroup var memory: MemoryOptions
    @OptionGroup var global: GlobalOptions

    func validate() throws {
        if let threads, !(1...1024).contains(threads) {
            throw ValidationError("--threads is \(threads); give 1 to 1024")
        }
    }

    func run(_ console: Console) throws {
        let store = try openForReading()
        var texts: [(path: String, source: TextSource)] = []
        for path in text.map(TextName.file) {
            texts.append((path, try Terminal.source(path, limit: limit.count)))
        }
        let names = TextName.unique(text)
        var meter = MemoryMeter()
        var statistics: [RunStatistics] = []
        var rows: [EvalReport.Row] = []
        try console.withProgress { progress in
            for revision in revisions.isEmpty ? ["HEAD"] : revisions {
                let model = try store.model(revision, memory.model)
                model.unused.lines.forEach { console.note("\(revision): \($0)") }
                for (index, (path, source)) in texts.enumerated() {
                    progress.label = "\(revision) on \(names[index])"
                    let result = try model.evaluate(
                        source, limit: limit.count, threads: threads ?? Terminal.processors
                    ) { step in
                        progress.report(step)
                        if stats { meter.sample(model.statistics) }
                    }
                    rows.append(
                        EvalReport.Row(
                            revision: revision, text: path, name: names[index], result: result))
                }
                statistics.append(model.statistics)
                if stats { meter.sample(model.statistics) }
            }
        }
        console.show(
            EvalReport(
                rows: rows, memory: stats ? meter.peak : nil,
                statistics: stats ? statistics : nil))
    }
}
