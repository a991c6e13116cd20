import Architectures
import CKernels
import Elements
import Models
import Routing
import Tensors
import Testing

/// What a token gives depends on its text alone: not on what runs beside it, the threads or the
/// instruction set.
@Suite("the forward pass gives the same bits", .serialized)
struct InvarianceTests {
    /// Calls `body` with every variant that this CPU can run.
    private func withEachVariant(_ body: (String) throws -> Void) rethrows {
        defer { cambium_use_variant(nil) }
        var index = 0
        while let variant = unsafe cambium_variant_at(index) {
            unsafe cambium_use_variant(variant)
            try body(Kernels.variant)
            index += 1
        }
    }

    /// Of every token its logits' bits, and its experts and weights in every layer and head.
    private struct Outcome: Equatable {
        var logits: [UInt32] = []
        var experts: [UInt32] = []
        var weights: [UInt32] = []

        mutating func add(_ more: [Float], _ session: Session, from position: Int) {
            logits += more.map(\.bitPattern)
            let routes = session.routes.filter { $0.position >= position }.sorted {
                ($0.position, $0.layer) < ($1.position, $1.layer)
            }
            for route in routes {
                experts += route.heads.flatMap(\.experts)
                weights += route.heads.flatMap(\.weights).map(\.bitPattern)
            }
        }
    }

    /// Runs a text in pieces of the given sizes, the last repeated.
    private func run(
        _ model: LanguageModel, _ text: [UInt8], pieces: [Int], threads: Int = 1
    ) throws -> Outcome {
        let pass = ForwardPass(model, team: ThreadTeam(count: threads))
        let session = Session(model, pass: pass)
        session.recordsRoutes = true
        var outcome = Outcome()
        var (start, index) = (0, 0)
        while start < text.count {
            let end = min(text.count, start + pieces[min(index, pieces.count - 1)])
            let logits = try session.append(Array(text[start..<end]), logits: .all)
            outcome.add(logits, session, from: start)
            (start, index) = (end, index + 1)
        }
        return outcome
    }

    private func check(_ model: LanguageModel, _ text: [UInt8], pieces: [[Int]]) throws {
        let alone = try run(model, text, pieces: [1])
        try withEachVariant { variant in
            for pieces in pieces {
                for threads in [1, 2] {
                    let found = try run(model, text, pieces: pieces, threads: threads)
                    #expect(found == alone, "\(variant), pieces \(pieces), \(threads) threads")
                }
            }
        }
    }

    @Test("of a random model, in pieces of any size, in any variant, with 1 and 2 threads")
    func tiny() throws {
        let model = try TinyModel().model()
        for seed in 1...5 as ClosedRange<UInt64> {
            try check(
                model, noiseText(20, seed: seed),
                pieces: [[20], [2], [3, 1, 7], [13, 4], [19, 1]])
        }
    }

    @Test(
        "of the trained model on real text",
        .enabled(if: Shared.isPresent, "without trained checkpoints"))
    func trained() throws {
        let model = try Shared.model("base")
        for domain in ["wikitext", "swahili"] {
            let text = Array(try Shared.text(domain).prefix(96))
            try check(model, text, pieces: [[96], [7, 50]])
        }
    }

    @Test("of texts that run together as of each alone", arguments: [2, 31, 64, 300, 513])
    func together(count: Int) throws {
        let model = try TinyModel().model()
        let pass = ForwardPass(model, team: ThreadTeam(count: 2))
        var texts: [[UInt8]] = []
        for index in 0..<count { texts.append(noiseText(2 + index % 4, seed: UInt64(index % 40))) }
        let sessions = texts.map { _ in Session(model, pass: pass) }
        let first = try pass.append(Array(zip(sessions, texts)), logits: .all)
        let next = try pass.append(sessions.map { ($0, [65, 66]) })
        for index in Set([0, 1, count / 2, count - 1]) {
            let alone = Session(model)
            #expect(try alone.append(texts[index], logits: .all) == first[index])
            #expect(try alone.append([65, 66]) == next[index])
            #expect(alone.position == sessions[index].position)
            #expect(alone.usage == sessions[index].usage)
        }
    }

    /// By position, then layer: longer pieces note a layer for all their positions at once.
    private func routes(_ session: Session) -> [Session.RouteRecord] {
        session.routes.sorted { ($0.position, $0.layer) < ($1.position, $1.layer) }
    }

    /// Whether two arrays have the same bits.
    private func equalBits(_ one: [[Float]], _ two: [[Float]]) -> Bool {
        one.count == two.count
            && zip(one, two).allSatisfy { one, two in
                unsafe one.withUnsafeBytes { one in
                    unsafe two.withUnsafeBytes { two in unsafe one.elementsEqual(two) }
                }
            }
    }

    @Test("of 100,000 random tokens, each alone and in batches of 2 to 513 at any place")
    func manyTokens() throws {
        let model = try TinyModel().model()
        var variants: [UnsafePointer<cambium_variant>] = unsafe []
        while let variant = unsafe cambium_variant_at(variants.count) {
            unsafe variants.append(variant)
        }
        defer { cambium_use_variant(nil) }
        var generator = SplitMix64(seed: 17)
        func random(in range: ClosedRange<Int>) -> Int {
            range.lowerBound + Int(generator.next() % UInt64(range.count))
        }
        let length = model.description.contextLength
        var tokens = 0
        var batch = 0
        while tokens < 100_000 {
            // Some texts run in steps together, each step a batch with a number of bytes of each.
            let count = random(in: 1...(513 / 2))
            let texts = (0..<count).map { _ in
                (0..<length).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
            }
            let alone = texts.map { _ in Session(model) }
            let pass = ForwardPass(model, team: ThreadTeam(count: 1 + batch % 2))
            let together = texts.map { _ in Session(model, pass: pass) }
            for session in alone + together { session.recordsRoutes = batch.isMultiple(of: 8) }
            var start = 0
            while start < length {
                // At least two tokens and at most 513 in the batch.
                let most = min(length - start, max(1, 513 / count))
                let size = random(in: min(count == 1 ? 2 : 1, most)...most)
                let pieces = texts.map { Array($0[start..<start + size]) }
                unsafe cambium_use_variant(variants[batch % variants.count])
                let found = try pass.append(
                    Array(zip(together, pieces)), logits: .all)
                cambium_use_variant(nil)
                let expected = try zip(alone, pieces).map { session, piece in
                    try piece.flatMap { try session.append([$0]) }
                }
                #expect(equalBits(found, expected), "batch \(batch), bytes \(start)...")
                start += size
            }
            for (one, two) in zip(alone, together) {
                #expect(one.usage == two.usage && routes(one) == routes(two), "batch \(batch)")
            }
            tokens += count * length
            batch += 1
        }
    }

    @Test("and of a quantised router as well")
    func quantised() throws {
        var tiny = TinyModel()
        for layer in [0, 2] {
            for name in ["query.weight", "sub_keys"] {
                let name = "model.layers.\(layer).peer.\(name)"
                let tensor = try #require(tiny.tensors[name])
                tiny.tensors[name] = nil
                let columns = tensor.shape.dimensions.last ?? 1
                let form = QuantizedMatrix.quantize(
                    Matrix(
                        rows: tensor.values.count / columns, columns: columns,
                        values: tensor.values))
                tiny.integers[name] = (tensor.shape.dimensions, form.values)
                tiny.tensors[name + ".scale"] = (
                    .init(.f32, tensor.shape.dimensions.dropLast()), form.scales
                )
            }
        }
        let model = try tiny.model()
        try check(model, noiseText(20, seed: 8), pieces: [[20], [3, 1, 7]])
        let exact = try run(try TinyModel().model(), noiseText(20, seed: 8), pieces: [20])
        let rounded = try run(model, noiseText(20, seed: 8), pieces: [20])
        let same = zip(exact.experts, rounded.experts).filter { $0 == $1 }.count
        #expect(same > exact.experts.count / 2 && exact.logits != rounded.logits)
    }
}
