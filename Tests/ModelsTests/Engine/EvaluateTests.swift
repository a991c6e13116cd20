import Elements
import Foundation
import Glibc
import Models
import Testing

@Suite("evaluation")
struct EvaluateTests {
    @Test("bits per byte follow from the reference's logits")
    func reference() throws {
        let tiny = TinyModel()
        let model = try tiny.model()
        let text = noiseText(55)
        let evaluation = try AdaptedModel(model).evaluate(text)
        var nats = 0.0
        for window in 0..<2 {
            let bytes = Array(text[window * 20..<(window + 1) * 20])
            let logits = try ReferenceForward(config: TinyModel.config(), source: tiny)
                .logits(Array(bytes.dropLast()))
            for (row, next) in zip(logits, bytes.dropFirst()) {
                nats += log(row.reduce(0) { $0 + exp($1) }) - row[Int(next)]
            }
        }
        #expect(abs(evaluation.bitsPerToken - nats / log(2) / 38) < 1e-5)
        #expect(evaluation.windows == 2 && evaluation.predictions == 38)
        #expect(evaluation.usage.selections == 2 * 19 * 2 * 2 * 3)
    }

    @Test("the result does not depend on threads", arguments: [2, 3, 8])
    func threads(count: Int) throws {
        let model = try TinyModel().model()
        let text = noiseText(250)
        let one = try AdaptedModel(model).evaluate(text, threads: 1)
        let many = try AdaptedModel(model).evaluate(text, threads: count)
        #expect(one.bitsPerToken == many.bitsPerToken && one.usage == many.usage)
    }

    @Test("the limit counts bytes from the start")
    func limit() throws {
        let model = try TinyModel().model()
        let text = noiseText(100)
        let limited = try AdaptedModel(model).evaluate(text, byteLimit: 45)
        #expect(limited.windows == 2)
        #expect(
            limited.bitsPerToken
                == (try AdaptedModel(model).evaluate(Array(text[..<40]))).bitsPerToken
        )
        #expect(try AdaptedModel(model).evaluate(text, byteLimit: nil).windows == 5)
    }

    @Test("progress runs from none to all windows")
    func progress() throws {
        var calls: [[Int]] = []
        _ = try AdaptedModel(TinyModel().model()).evaluate(noiseText(400), threads: 2) {
            calls.append([$0, $1])
        }
        #expect(calls == [[0, 20], [8, 20], [16, 20], [20, 20]])
    }

    @Test(
        "windows that overlap predict every token once, from what the window has in front of it",
        arguments: [(20, 10, 55), (20, 19, 55), (8, 3, 41), (20, 1, 23), (20, 5, 7), (2, 1, 9)])
    func sliding(size: Int, stride: Int, count: Int) throws {
        let model = try TinyModel().model()
        let text = noiseText(count).map { Int($0) }
        func bits(_ threads: Int) throws -> Evaluation {
            try AdaptedModel(model).evaluate(
                EvaluationWindows(sliding: size, by: stride, of: count), threads: threads
            ) { Array(text[$0]) }
        }
        // As transformers' page on perplexity does it, window by window.
        var (nats, begin, done) = (0.0, 0, 1)
        while done < count {
            let end = min(begin + size, count)
            let logits = try model.forward(Array(text[begin..<end - 1]))
            for target in done..<end {
                let row = logits[(target - 1 - begin) * 256..<(target - begin) * 256].map(
                    Double.init)
                nats += log(row.reduce(0) { $0 + exp($1) }) - row[text[target]]
            }
            (begin, done) = (begin + stride, end)
        }
        let found = try bits(1)
        #expect(found.predictions == count - 1)
        #expect(abs(found.nats - nats) < 1e-3 * Double(count))
        #expect(abs(found.perplexity - exp(nats / Double(count - 1))) < 1e-2)
        #expect(try bits(3).nats == found.nats)
    }

    @Test("strides that leave a token without one before it are refused")
    func strides() throws {
        for (size, stride, count) in [
            (20, 20, 50), (20, 0, 50), (1, 1, 50), (20, 10, 1), (20, 10, 0),
        ] {
            #expect(throws: CambiumError.self) {
                _ = try EvaluationWindows(sliding: size, by: stride, of: count)
            }
        }
    }

    @Test("a text shorter than a window is refused", arguments: [0, 1, 19])
    func tooShort(count: Int) throws {
        let model = try TinyModel().model()
        let error = #expect(throws: CambiumError.self) {
            try AdaptedModel(model).evaluate(noiseText(count))
        }
        #expect(error?.code == .badInput && error?.message.contains("\(count) bytes") == true)
        #expect(throws: CambiumError.self) {
            try AdaptedModel(model).evaluate(noiseText(99), byteLimit: count)
        }
    }

    @Test("no threads are refused")
    func noThreads() throws {
        let model = try TinyModel().model()
        #expect(throws: CambiumError.self) {
            try AdaptedModel(model).evaluate(noiseText(40), threads: 0)
        }
    }

    @Test("NaN logits are an error that names the byte")
    func notFinite() throws {
        var tiny = TinyModel()
        let text = [UInt8](repeating: 7, count: 25) + [8] + [UInt8](repeating: 7, count: 14)
        for column in 0..<16 {
            tiny.tensors["model.embed_tokens.weight"]?.values[8 * 16 + column] = .nan
        }
        let model = try tiny.model()
        let error = #expect(throws: CambiumError.self) { try AdaptedModel(model).evaluate(text) }
        #expect(error?.code == .notFinite && error?.message.contains("byte 26 ") == true)
    }

    private static let domains = ["wikitext", "gsm8k", "shakespeare", "swahili", "metamath"]

    @Test(
        "the base model reads gsm8k as PyTorch did",
        .enabled(if: Shared.isPresent, "without trained checkpoints"))
    func oneFigure() throws {
        try compare("base", ["gsm8k"])
    }

    @Test(
        "the whole table of bits per byte equals PyTorch's",
        .enabled(if: Shared.isPresent && isSlowRun, "asked for by CAMBIUM_SLOW_TESTS"),
        arguments: Shared.checkpointNames)
    func table(name: String) throws {
        try compare(name, Self.domains)
    }

    /// Set CAMBIUM_SLOW_TESTS to run what takes minutes in a debug build.
    private static let isSlowRun = ProcessInfo.processInfo.environment["CAMBIUM_SLOW_TESTS"] != nil

    private func compare(_ name: String, _ domains: [String]) throws {
        let model = try Shared.model(name)
        let golden = try #require(try Shared.golden().bits_per_byte[name])
        for domain in domains {
            let evaluation = try AdaptedModel(model).evaluate(try Shared.text(domain), threads: 2)
            let expected = try #require(golden[domain])
            #expect(evaluation.predictions == 19_890)
            #expect(abs(evaluation.bitsPerToken - expected) < 0.001, "\(name) on \(domain)")
        }
    }
}
