internal import ArgumentParser
internal import Cambium
internal import Reporting

struct SharedCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "shared",
        abstract: "Tell what models have in common: bytes, experts, tensors.",
        discussion: """
            Experts and tensors with the same bytes are stored once, wherever in the models they are. Those that \
            have the same values in BF16 but other bytes, such as a model and its copy in BF16, are stored \
            separately; they are counted beside, as the first of a pair has them. To find them every float that \
            the models do not all share is read; --bytes leaves that out.

            Of models whose weights became codes (`cambium quantize`) it is told what they were before.

            cambium shared main swahili metamath
            cambium shared main main-bf16 --json
            """)

    @Argument(help: "Two revisions or more.", completion: Completion.revisions)
    var revisions: [String]

    @Flag(help: "Compare bytes alone.")
    var bytes = false

    @OptionGroup var global: GlobalOptions

    func validate() throws {
        if revisions.count < 2 { throw ValidationError("name at least two revisions to compare") }
    }

    func run(_ console: Console) throws {
        let store = try openForReading()
        let shared = try console.withProgress("shared") { progress in
            try store.shared(revisions, values: !bytes, progress: progress.report)
        }
        console.show(SharedReport(shared: shared))
    }
}

/// What models have in common.
struct SharedReport: Report {
    let shared: SharedContents

    func encode(to encoder: any Encoder) throws { try shared.encode(to: encoder) }

    func lines(_ style: Style) -> [String] {
        var models = TextTable([.left, .left, .right, .right, .right])
        for model in shared.models {
            models.add([model.revision, style.id(model.id.short)] + Self.cells(model.contents))
        }
        var pairs = TextTable([.left, .right, .right, .right, .right, .right])
        let comparesValues = shared.pairs.contains { $0.sameInBF16 != nil }
        pairs.add(
            ["the same bytes", "experts", "tensors", "size"]
                + (comparesValues ? ["same in BF16", "size"] : []))
        for pair in shared.pairs {
            pairs.add(
                ["\(pair.left), \(pair.right)"] + Self.numbers(pair.shared)
                    + (pair.sameInBF16.map {
                        [
                            Quantity.count($0.experts + $0.tensors, "object"),
                            Quantity.bytes($0.bytes),
                        ]
                    } ?? []))
        }
        if shared.models.count > 2 { pairs.add(["all"] + Self.numbers(shared.inAll)) }
        let share = Quantity.share(shared.together.bytes, of: shared.separateBytes)
        let quantized = shared.models.flatMap { model in
            model.quantized.map { before in
                let name = shared.models.first { $0.id == before.from }.map { $0.revision + " " }
                let id = style.id(before.from.short)
                return "\(model.revision) is \(name ?? "")\(id) with \(before.forms)"
            }
        }
        return models.lines() + quantized + [""] + pairs.lines() + [
            "",
            "together \(Quantity.bytes(shared.together.bytes)), \(share) of "
                + "\(Quantity.bytes(shared.separateBytes)) if each were stored by itself",
        ]
    }

    func quietLines() -> [String] {
        shared.pairs.map { "\($0.left) \($0.right) \($0.shared.bytes)" }
    }

    private static func cells(_ amount: SharedContents.Amount) -> [String] {
        [
            Quantity.count(amount.experts, "expert"), Quantity.count(amount.tensors, "tensor"),
            Quantity.bytes(amount.bytes),
        ]
    }

    private static func numbers(_ amount: SharedContents.Amount) -> [String] {
        [
            Quantity.count(amount.experts), Quantity.count(amount.tensors),
            Quantity.bytes(amount.bytes),
        ]
    }
}
