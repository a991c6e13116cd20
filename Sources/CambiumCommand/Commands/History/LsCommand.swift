internal import ArgumentParser
internal import Cambium
internal import Reporting

struct LsCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "ls",
        abstract: "List layers, adapters, experts and tensors.",
        discussion: """
            Adapters, which rounds of training added to the base, are listed with what they weigh and the \
            commits that made them; `cambium forget` takes one out.

            cambium ls main
            cambium ls main:1                 # the experts of layer 1 with their ids
            cambium ls main --trunk           # the dense tensors
            """)

    @Argument(
        help: "REV, or REV:LAYER or REV:LAYER/POOL for the experts in it.",
        completion: Completion.revisions)
    var place = "HEAD"

    @Flag(help: "List the dense tensors and the routers' too.")
    var trunk = false

    @OptionGroup var global: GlobalOptions

    func run(_ console: Console) throws {
        let store = try openForReading()
        let place = Place(place)
        if let path = place.path {
            let experts = try store.experts(place.revision, in: path)
            console.show(ExpertListReport(pool: path, experts: experts), paged: true)
        } else {
            let model = try store.list(place.revision)
            let report = ModelReport(model: model, revision: place.revision, listsTrunk: trunk)
            console.show(report, paged: true)
        }
    }
}

/// The make-up of a model.
struct ModelReport: Report {
    let model: ModelSummary
    let revision: String
    let listsTrunk: Bool

    func encode(to encoder: any Encoder) throws { try model.encode(to: encoder) }

    func lines(_ style: Style) -> [String] {
        var lines = [
            "\(style.name(revision)) \(style.id(model.id.short))  \(model.architecture), "
                + "\(Quantity.count(model.parameters, "parameter")), \(Quantity.bytes(model.bytes))"
        ]
        if !model.layers.isEmpty { lines += layerLines }
        if !model.adapters.isEmpty { lines += adapterLines(style) }
        lines.append(
            "trunk  \(Quantity.count(trunkCount, "tensor"))"
                + (listsTrunk || model.trunk.isEmpty ? "" : style.faint("  (--trunk lists them)")))
        if listsTrunk { lines += tensorLines }
        let files = model.files.filter { !$0.hasPrefix("evidence.") && !$0.hasPrefix("fisher.") }
        if !files.isEmpty { lines.append("files  " + files.joined(separator: ", ")) }
        let gradients = model.files.count { $0.hasPrefix("fisher.") }
        if gradients > 0 {
            lines.append("squared gradients  of \(Quantity.count(gradients, "object"))")
        }
        let records = model.files.count - files.count - gradients
        if records > 0 {
            lines.append(
                "evidence  \(Quantity.count(records, "record"))  (`cambium evidence ls` lists them)"
            )
        }
        return lines
    }

    /// Tensors that are no adapter's.
    private var trunkCount: Int {
        let own = model.adapters.map { "cohorts.\($0.name)." }
        return model.trunk.count { tensor in !own.contains { tensor.name.hasPrefix($0) } }
    }

    private var layerLines: [String] {
        var table = TextTable([.left, .left, .left, .right, .right, .left, .left])
        table.add(["layer", "pool", "kind", "experts", "bytes each", "parts", "router"])
        for layer in model.layers {
            for pool in layer.pools {
                table.add([
                    "\(layer.layer)", pool.name, pool.kind, Quantity.count(pool.experts),
                    Quantity.count(pool.expertBytes), pool.parts.joined(separator: " "),
                    "\(pool.router), \(Quantity.count(pool.routerTensors.count, "tensor"))",
                ])
            }
        }
        return table.lines()
    }

    private func adapterLines(_ style: Style) -> [String] {
        var table = TextTable([.left, .left, .right, .right, .right, .left])
        table.add(["adapter", "kind", "parameters", "bytes", "evidence", "made by"])
        for adapter in model.adapters {
            let experts =
                adapter.experts > 0 ? ", \(Quantity.count(adapter.experts, "expert"))" : ""
            let last = adapter.rounds.first.map { "\(style.id($0.id.short)) \($0.subject)" }
            let more = adapter.rounds.count - 1
            table.add([
                adapter.name, (adapter.kind ?? "-") + experts, Quantity.count(adapter.parameters),
                Quantity.bytes(adapter.bytes), Quantity.count(adapter.evidence, "record"),
                (last ?? "-") + (more > 0 ? " and \(Quantity.count(more, "round")) before" : ""),
            ])
        }
        return table.lines()
    }

    private var tensorLines: [String] {
        var table = TextTable([.left, .left, .left, .left])
        func add(_ tensor: TensorInfo) {
            let shape = tensor.shape.map(String.init).joined(separator: ", ")
            table.add([tensor.id.short, tensor.dtype, "[\(shape)]", tensor.name])
        }
        model.trunk.forEach(add)
        model.layers.flatMap(\.pools).flatMap(\.routerTensors).forEach(add)
        return table.lines(indent: 2)
    }
}

/// The experts of a pool.
struct ExpertListReport: Report {
    let pool: String
    let experts: [ExpertEntry]

    func lines(_ style: Style) -> [String] {
        experts.map { entry in
            let id = entry.id.map { style.id($0.short) } ?? style.faint("absent")
            return "\(id)  \(pool)/\(entry.ordinal)"
        }
    }

    func quietLines() -> [String] { experts.map { $0.id ?? "-" } }
}
