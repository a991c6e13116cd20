internal import Reporting

/// Where a command's words go: reports to standard output, notes and progress to standard error.
struct Console {
    private let options: GlobalOptions
    private let command: String
    /// The style of standard output.
    let style: Style
    /// The style of standard error.
    let errorStyle: Style

    /// The console of one command.
    init(_ options: GlobalOptions, command: String) {
        self.options = options
        self.command = command
        style = Style.of(.output, allowsColor: !options.noColor)
        errorStyle = Style.of(.error, allowsColor: !options.noColor)
    }

    /// Whether the user asked for JSON.
    var isJSON: Bool { options.json }

    /// Whether notes are unwelcome.
    var isQuiet: Bool { options.quiet || options.json }

    /// Prints a report.
    ///
    /// - Parameter paged: Whether a person may want to scroll in it.
    func show(_ report: some Report, paged: Bool = false) {
        if options.json {
            line(JSONText.encode(Envelope(command: command, payload: report)), made: report.made)
        } else {
            print(
                options.quiet ? report.quietLines() : report.lines(style), paged: paged,
                made: report.made)
        }
    }

    /// Prints one report per line of JSON, or all in one piece.
    func show(each reports: [some Report], lines: [String], paged: Bool) {
        if options.json {
            let text = reports.map { JSONText.encode(Envelope(command: command, payload: $0)) }
            print(text, paged: false)
        } else {
            print(options.quiet ? reports.flatMap { $0.quietLines() } : lines, paged: paged)
        }
    }

    /// Prints bytes as they are.
    func write(_ bytes: [UInt8]) { Terminal.write(bytes, to: .output) }

    /// Prints a whole file: as it is into a file or a pipe, with control characters spelled out on a
    /// terminal.
    func write(file bytes: [UInt8]) {
        Terminal.write(
            Terminal.isTerminal(.output) ? VisibleText.bytes(bytes) : bytes, to: .output)
    }

    /// Tells the user something beside the result, on standard error.
    func note(_ text: String) {
        if !isQuiet { Terminal.write(text + "\n", to: .error) }
    }

    /// Tells what went wrong, of work that goes on behind it.
    func tell(_ failure: Failure) {
        let lines = options.json ? [failure.json] : failure.lines(errorStyle)
        Terminal.write(lines.joined(separator: "\n") + "\n", to: .error)
    }

    /// Warns the user, on standard error; also under `--quiet`.
    func warn(_ text: String) {
        if !options.json {
            Terminal.write(errorStyle.warning("warning:") + " \(text)\n", to: .error)
        }
    }

    /// Runs long work with a progress display that is gone when it ends.
    func withProgress<Result>(
        _ label: String = "", _ body: (ProgressDisplay) throws -> Result
    ) rethrows -> Result {
        let display = ProgressDisplay(progressMode, label: label)
        defer { display.finish() }
        return try body(display)
    }

    private var progressMode: ProgressDisplay.Mode {
        // What it may throw was thrown before the command ran.
        switch (try? options.chosenProgress()) ?? .auto {
        case .auto: Terminal.isTerminal(.error) && !options.quiet ? .bar : .none
        case .plain: .plain
        case .json: .json
        case .none: .none
        }
    }

    private func print(_ lines: [String], paged: Bool, made: String? = nil) {
        guard !lines.isEmpty else { return }
        let text = lines.joined(separator: "\n") + "\n"
        if paged, !options.noPager, Terminal.isTerminal(.output), lines.count >= Terminal.height,
            let pager = Terminal.pager, Terminal.page(text, through: pager)
        {
            return
        }
        Terminal.write(text, to: .output, made: made)
    }

    private func line(_ text: String, made: String?) {
        Terminal.write(text + "\n", to: .output, made: made)
    }
}
