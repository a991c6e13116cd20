internal import ArgumentParser
internal import Cambium
internal import Pages
internal import Pictures
internal import Reporting

struct ReportCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "report",
        abstract: "Draw what happened: a page, or one figure of it.",
        discussion: """
            The page is one file with everything in it, to be opened in a browser, sent or printed; it needs no \
            network. Figures: history, metrics, loss, matrix (what is remembered of each domain, round by round), \
            experts (which are picked), rounds (which made each expert), sharing, storage, merges. A figure goes to a \
            file of SVG, PNG or CSV by the file's name, to standard output as a table, --csv or --json. \
            PNG needs rsvg-convert (Debian: librsvg2-bin). With revisions it is about what leads to them, and about the \
            experts of the first.

            cambium report -o report.html
            cambium report main swahili -o report.html
            cambium report --figure matrix
            cambium report --figure matrix -o matrix.svg
            cambium report --figure metrics --csv > metrics.csv
            cambium report --figure history --json
            """)

    @Argument(
        help: "Where to start (default: every branch and tag).", completion: Completion.revisions)
    var revisions: [String] = []

    @Option(
        name: .shortAndLong,
        help: ArgumentHelp("The file: .html; of a figure .svg, .png or .csv.", valueName: "file"),
        completion: .file())
    var output: String?

    @Option(
        help: ArgumentHelp(
            "Only this figure: history, metrics, loss, matrix, experts, rounds, sharing, storage or merges.",
            valueName: "name"),
        completion: .list(FigureName.allCases.map(\.rawValue)))
    var figure: FigureName?

    @Flag(help: "Print a figure's numbers with commas between.")
    var csv = false

    @Option(
        help: ArgumentHelp(
            "What the page is called (default: the store's folder).", valueName: "text"))
    var title: String?

    @OptionGroup var global: GlobalOptions

    private enum Form: String { case html, svg, png, csv }

    /// What the file's name asks for.
    private var form: Form? {
        output.flatMap { path in
            path.lastIndex(of: ".").flatMap {
                Form(rawValue: path[path.index(after: $0)...].lowercased())
            }
        }
    }

    func validate() throws {
        if csv, figure == nil {
            throw ValidationError("--csv is of one figure: give --figure NAME")
        }
        if csv, global.json { throw ValidationError("--csv goes without --json") }
        if csv, output != nil {
            throw ValidationError("--csv prints; for a file give -o NAME.csv alone")
        }
        if title != nil, figure != nil {
            throw ValidationError("--title is of the page, not of a figure")
        }
        guard let output else { return }
        switch (form, figure) {
        case (.html, nil), (.svg, _?), (.png, _?), (.csv, _?): return
        case (.html, _?), (nil, _?):
            throw ValidationError("'\(output)' is no file for a figure: name it .svg, .png or .csv")
        case (_, nil): throw ValidationError("'\(output)' is no file for a page: name it .html")
        }
    }

    func run(_ console: Console) throws {
        if figure == nil, output == nil, !global.json {
            throw Failure(
                .usage, "the page needs a file",
                hint:
                    "`cambium report -o report.html`, or one figure: `cambium report --figure history`"
            )
        }
        let store = try openForReading(forOutput: output == nil)
        let figures = try store.figures(revisions)
        if let figure { return try show(try figure.figure(of: figures), console) }
        guard let output else {
            let parts = try FigureName.allCases.map { try $0.figure(of: figures) }
            return console.show(FiguresReport(figures: parts))
        }
        let page = try console.withProgress("report") { progress in
            let name = title ?? storeTitle(of: store.path, in: Terminal.directory)
            return try Page(figures, title: name, progress: progress.report)
        }
        try page.markup.write(to: output)
        console.show(PictureReport(file: output, what: "the report"))
    }

    private func show(_ figure: Figure, _ console: Console) throws {
        guard let output else {
            if csv {
                // A terminal has no use for the carriage returns, which would be spelled out.
                let text = figure.table.commaSeparated
                let isTerminal = Terminal.isTerminal(.output)
                let shown = isTerminal ? text.replacing("\r\n", with: "\n") : text
                return console.write(file: Array(shown.utf8))
            }
            return console.show(FigureReport(figure: figure), paged: true)
        }
        switch form {
        case .png: try Rasteriser.write(figure.svg(), to: output)
        case .csv: try figure.table.write(to: output)
        default: try figure.svg().write(to: output)
        }
        console.show(PictureReport(file: output, what: "figure \(figure.name.rawValue)"))
    }
}

extension FigureName: ExpressibleByArgument {}
