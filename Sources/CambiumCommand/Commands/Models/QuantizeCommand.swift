internal import ArgumentParser
internal import Cambium
internal import Reporting

struct QuantizeCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "quantize",
        abstract: "Commit a model whose weights are codes of 8 or 4 bits.",
        discussion: """
            Experts, and dense matrices where asked (attention, feed-forwards that every token uses, the head), become \
            blocks of 32 codes with one scale: q8 has the numbers of GGUF's Q8_0, q4 those of Q4_0. Routers, norms, biases \
            and embeddings stay exact unless asked. The model runs on the codes where they lie.

            This is lossy, and the commit says so: from which commit, what, in which form. With --text the change in \
            bits per byte is printed. The model before stays in history. A matrix whose inputs 32 does not divide \
            stays as it is, and is named.

            cambium quantize main --experts q8 --text test.txt
            cambium quantize main --experts q4 --dense q8 --branch small
            cambium shared main small && cambium export small out
            """)

    @Argument(
        help: "The model; a branch gets the commit (default: HEAD).",
        completion: Completion.revisions)
    var revision = "HEAD"

    @Option(help: "The form of the experts.")
    var experts: FormChoice?

    @Option(help: "The form of attention's, feed-forwards' and the head's matrices.")
    var dense: FormChoice?

    @Option(help: "The form of linear routers; int8 is q8 (default: exact).")
    var routers: RouterForm?

    @Option(help: "The form of the embedding, and of a head that is tied to it (default: exact).")
    var embeddings: FormChoice?

    @Option(
        help: "Measure bits per byte of this file, before and after, and note them.",
        completion: .file())
    var text: String?

    @Option(help: "Bytes of the text that count, or all.")
    var limit = ByteLimit(count: 20_000)

    @Option(help: "Threads to measure with (default: the processors).")
    var threads: Int?

    @Option(name: .shortAndLong, parsing: .unconditional, help: "What the commit says.")
    var message: String?

    @Option(
        help: "The branch of the commit (default: the revision, or HEAD's). A missing one is made.",
        completion: Completion.branches)
    var branch: String?

    @OptionGroup var global: GlobalOptions

    private var parts: QuantizedParts {
        QuantizedParts(
            experts: experts?.form, dense: dense?.form, routers: routers.map { _ in .q8 },
            embeddings: embeddings?.form)
    }

    func validate() throws {
        if parts == QuantizedParts() {
            throw ValidationError(
                "say what becomes codes: --experts, --dense, --routers or --embeddings")
        }
        if let threads, !(1...1024).contains(threads) {
            throw ValidationError("--threads is \(threads); give 1 to 1024")
        }
    }

    func run(_ console: Console) throws {
        let store = try openStore()
        let content = try text.map { try Terminal.read($0, limit: limit.count) }
        let words = [
            ("experts", experts?.rawValue), ("dense", dense?.rawValue),
            ("routers", routers?.rawValue), ("embeddings", embeddings?.rawValue),
        ].compactMap { part, form in form.map { "\(part) \($0)" } }
        let message = message ?? "quantise \(words.joined(separator: ", "))"
        let result = try console.withProgress("quantize") { progress in
            try store.quantize(
                revision, parts, text: content, limit: limit.count,
                CommitOptions(message: message, branch: branch),
                threads: threads ?? Terminal.processors, progress: progress.report)
        }
        let metric = text.map { "\(TextName.of($0)).bpb" }
        if let metric, let bits = result.bitsPerByte?.last {
            try store.addNote(to: result.commit.id, text: "", metrics: [metric: bits])
        }
        console.show(QuantizeReport(result: result, message: message, metric: metric))
    }
}

/// The forms that routers can have.
enum RouterForm: String, ExpressibleByArgument, CaseIterable {
    case int8
    case q8
}

/// The forms that all else can have.
enum FormChoice: String, ExpressibleByArgument, CaseIterable {
    case q8
    case q4

    var form: QuantizedForm { self == .q8 ? .q8 : .q4 }
}

/// What quantising a model made of it.
struct QuantizeReport: Report {
    let result: QuantizeResult
    let message: String
    /// What the bits per byte are kept as; nil where none were measured.
    let metric: String?

    func encode(to encoder: any Encoder) throws { try result.encode(to: encoder) }

    func lines(_ style: Style) -> [String] {
        let parts = [
            result.experts > 0 ? Quantity.count(result.experts, "expert") : nil,
            result.matrices > 0 ? Quantity.count(result.matrices, "matrix", "matrices") : nil,
        ].compactMap { $0 }
        let share = Quantity.share(result.bytesAfter, of: result.bytesBefore)
        return CommitReport(result: result.commit, message: message).lines(style) + [
            "\(parts.joined(separator: " and ")) of \(style.id(result.from.short)): "
                + "\(Quantity.bytes(result.bytesBefore)) became \(Quantity.bytes(result.bytesAfter)), \(share)",
            bits,
        ] + result.left.map { "not quantised: \($0)" } + coarse
    }

    private var coarse: [String] {
        guard result.coarseBlocks > 0 else { return [] }
        let blocks = Quantity.count(result.coarseBlocks, "block")
        return ["\(blocks) of 32 near to 0, beyond the scales of F16: zeros now, or coarse"]
    }

    private var bits: String {
        guard let bits = result.bitsPerByte else {
            return "bits per byte were not measured; --text FILE does"
        }
        let (before, after) = (Quantity.fixed(bits[0], 4), Quantity.fixed(bits[1], 4))
        let change = bits[1] - bits[0]
        let size = (change < 0 ? "-" : "+") + Quantity.fixed(abs(change), 4)
        let kept = metric.map { ", kept as \($0)" } ?? ""
        return "bits per byte: \(before) before, \(after) after (\(size))\(kept)"
    }

    func quietLines() -> [String] { [result.commit.id] }
}
