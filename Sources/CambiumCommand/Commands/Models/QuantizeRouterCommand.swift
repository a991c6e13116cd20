internal import ArgumentParser
internal import Cambium

struct QuantizeRouterCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "quantize-router",
        abstract: "Commit a model whose routers are int8.",
        discussion: """
            Each row of a router's query projection and sub-keys becomes int8 with one scale: a \
            quarter of the bytes, which is what routing one token costs. Routes stay the same for a \
            token alone, in a batch and on any CPU, but may differ from those of the fp32 router; \
            compare with `cambium eval main~1 main --text FILE`. The model before stays in history.

            cambium quantize-router -m "int8 routers"
            cambium quantize-router --branch fast --layer 1 --layer 2 -m "int8 routers"
            """)

    @Option(name: .shortAndLong, parsing: .unconditional, help: "What the commit says.")
    var message = "quantise routers"

    @Option(
        help: "The branch (default: HEAD's). A missing one is made from HEAD.",
        completion: Completion.branches)
    var branch: String?

    @Option(help: ArgumentHelp("Only this layer; may be repeated.", valueName: "number"))
    var layer: [Int] = []

    @OptionGroup var global: GlobalOptions

    func run(_ console: Console) throws {
        let result = try openStore().quantizeRouters(
            CommitOptions(message: message, branch: branch), layers: layer.isEmpty ? nil : layer)
        console.show(CommitReport(result: result, message: message))
    }
}
