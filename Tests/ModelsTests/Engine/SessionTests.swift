import Architectures
import Elements
import Models
import Routing
import Testing

@Suite("sessions")
struct SessionTests {
    // Kernels add in one order, however many rows come together: equal bits, not nearly equal numbers.

    @Test("byte by byte gives what the whole text gives")
    func cache() throws {
        let model = try TinyModel().model()
        let text = noiseText(20)
        let whole = try model.forward(text)
        let session = Session(model)
        var single: [Float] = []
        for byte in text { single += try session.append([byte]) }
        #expect(whole == single)
        #expect(session.position == 20 && session.room == 0)
    }

    @Test("pieces of any size give what the whole text gives", arguments: [2, 3, 7, 19])
    func pieces(size: Int) throws {
        let model = try TinyModel().model()
        let text = noiseText(20)
        let whole = try model.forward(text)
        let session = Session(model)
        var logits: [Float] = []
        for start in stride(from: 0, to: 20, by: size) {
            logits += try session.append(Array(text[start..<min(20, start + size)]), logits: .all)
        }
        #expect(whole == logits)
    }

    @Test(
        "a trained model decodes byte by byte as in one piece",
        .enabled(if: Shared.isPresent, "without trained checkpoints"),
        arguments: Shared.checkpointNames)
    func trainedCache(name: String) throws {
        let model = try Shared.model(name)
        let text = Array(try Shared.text("gsm8k")[..<96])
        let whole = try model.forward(text)
        let session = Session(model)
        var single: [Float] = []
        for byte in text { single += try session.append([byte]) }
        #expect(whole == single)
    }

    @Test("text longer than a block of 256 gives what small pieces give")
    func blocks() throws {
        let json = TinyModel.json.replacing(
            "\"context_length\": 20", with: "\"context_length\": 600")
        let model = try LanguageModel(
            config: PeerConfig(json: Array(json.utf8)), source: TinyModel())
        let text = noiseText(550)
        let whole = try model.forward(text)
        #expect(whole.count == 550 * 256)
        let session = Session(model)
        var pieces: [Float] = []
        for start in stride(from: 0, to: 550, by: 110) {
            pieces += try session.append(Array(text[start..<start + 110]), logits: .all)
        }
        #expect(whole == pieces)
        let last = try Session(model).append(text)
        #expect(Array(whole.suffix(256)) == last)
    }

    @Test("the last logits are the last of all")
    func last() throws {
        let model = try TinyModel().model()
        let all = try model.forward(noiseText(5))
        let last = try Session(model).append(noiseText(5), logits: .last)
        #expect(last.count == 256 && Array(all.suffix(256)) == last)
    }

    @Test("text beyond the context is refused and nothing is appended")
    func contextFull() throws {
        let session = Session(try TinyModel().model())
        _ = try session.append(noiseText(15))
        let error = #expect(throws: CambiumError.self) { try session.append(noiseText(6)) }
        #expect(error?.code == .contextFull && error?.message.contains("20") == true)
        #expect(session.position == 15)
        _ = try session.append(noiseText(5))
        #expect(throws: CambiumError.self) { try session.append([1]) }
    }

    @Test("no bytes are refused")
    func empty() throws {
        let session = Session(try TinyModel().model())
        let error = #expect(throws: CambiumError.self) { try session.append([] as [Int]) }
        #expect(error?.code == .badInput)
    }

    @Test("after a reset a session starts afresh, and repeats to the bit")
    func reset() throws {
        let session = Session(try TinyModel().model())
        let first = try session.append(noiseText(12), logits: .all)
        session.reset()
        #expect(session.position == 0)
        #expect(try session.append(noiseText(12), logits: .all) == first)
    }

    @Test("usage counts picks and distinct experts")
    func usage() throws {
        let session = Session(try TinyModel().model())
        session.recordsRoutes = true
        _ = try session.append(noiseText(20))
        #expect(session.usage.layers.map(\.layer) == [0, 2])
        #expect(session.usage.selections == 2 * 20 * 2 * 3)
        for layer in session.usage.layers {
            let picked = Set(
                session.routes.filter { $0.layer == layer.layer }.flatMap(\.heads)
                    .flatMap(\.experts))
            #expect(layer.touched == picked.count)
            #expect((0..<25).filter(layer.isTouched) == picked.map(Int.init).sorted())
        }
        #expect(session.usage.bytesTouched == session.usage.touched * 128)
        #expect(session.usage.bytesStored == 50 * 128)
    }

    @Test("routes are recorded by position and layer, only when asked for")
    func routes() throws {
        let session = Session(try TinyModel().model())
        _ = try session.append([1, 2])
        #expect(session.routes.isEmpty)
        session.recordsRoutes = true
        _ = try session.append([3, 4])
        #expect(session.routes.map(\.layer) == [0, 0, 2, 2])
        #expect(session.routes.map(\.position) == [2, 3, 2, 3])
        #expect(session.routes.allSatisfy { $0.heads.count == 2 && $0.margins.count == 2 })
    }

    @Test("an expert that cannot be read is an error and not a trap")
    func brokenExperts() throws {
        let config = try PeerConfig(json: Array(TinyModel.json.utf8))
        let session = Session(try LanguageModel(config: config, source: BrokenSource()))
        let error = #expect(throws: CambiumError.self) { try session.append([1, 2]) }
        #expect(error?.code == .io)
        #expect(session.position == 0)
    }

    @Test("usages of two sessions unite")
    func union() throws {
        let model = try TinyModel().model()
        let (a, b, both) = (Session(model), Session(model), Session(model))
        _ = try a.append(noiseText(9, seed: 1))
        _ = try b.append(noiseText(9, seed: 2))
        _ = try both.append(noiseText(9, seed: 1))
        both.reset()
        _ = try both.append(noiseText(9, seed: 2))
        var united = a.usage
        united.formUnion(b.usage)
        #expect(united == both.usage)
    }
}
