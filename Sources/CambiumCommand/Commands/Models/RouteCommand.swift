internal import ArgumentParser
internal import Cambium
internal import Reporting

struct RouteCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "route",
        abstract: "Show which experts the tokens of a text pick.",
        discussion: """
            For each token and layer every head's experts, best first, and their weights. Tokens are bytes, or \
            those of the tokenizer.json that was committed with the model. A text longer \
            than the context is read in windows that do not overlap. With --json, one object per line, \
            token and layer.

            cambium route main --prompt "Habari ya"
            cambium route main --text test.txt --layer 1 --json | head -n 100
            """)

    @Argument(help: "The revision.", completion: Completion.revisions)
    var revision = "HEAD"

    @Option(help: "A file to read; - reads standard input.", completion: .file())
    var text: String?

    @Option(parsing: .unconditional, help: "The text itself.")
    var prompt: String?

    @Option(help: ArgumentHelp("Only this layer; may be repeated.", valueName: "number"))
    var layer: [Int] = []

    @OptionGroup var memory: MemoryOptions
    @OptionGroup var global: GlobalOptions

    func validate() throws {
        guard (text == nil) != (prompt == nil) else {
            throw ValidationError("give a file with --text, or the text with --prompt: one of them")
        }
    }

    func run(_ console: Console) throws {
        let model = try openForReading().model(revision, memory.model)
        let source =
            try text.map { try Terminal.source($0) } ?? TextSource(Array((prompt ?? "").utf8))
        let layers = layer.isEmpty ? nil : layer
        let isByte = try model.takesBytes || model.tokenizer() == nil
        // As they come: a long text has more routes than memory.
        try model.routes(source, layers: layers) { route in
            console.show(RouteReport(route: route, isByte: isByte))
            return true
        }
    }
}

/// What one token picked in one layer.
struct RouteReport: Report {
    let route: TokenRoute
    /// Whether the token is a byte.
    let isByte: Bool

    func encode(to encoder: any Encoder) throws { try route.encode(to: encoder) }

    func lines(_ style: Style) -> [String] {
        let heads = route.heads.map { head in
            zip(head.experts, head.weights).map { "\($0):\(Quantity.fixed(Double($1), 3))" }
                .joined(separator: " ")
        }
        let token = isByte ? route.token.spelled : "token \(route.token)"
        return ["\(route.position) \(token) layer \(route.layer)"]
            + heads.map { "    " + $0 }
    }

    func quietLines() -> [String] {
        [
            "\(route.position) \(route.layer) "
                + route.heads.flatMap(\.experts).map(String.init).joined(separator: ",")
        ]
    }
}

extension Int {
    /// A byte as a person would write it.
    fileprivate var spelled: String {
        guard let byte = UInt8(exactly: self), byte > 0x20, byte < 0x7F else {
            return "0x" + (self < 16 ? "0" : "") + String(self, radix: 16)
        }
        return "'" + String(UnicodeScalar(byte)) + "'"
    }
}
