import Architectures
import Elements
import Models
import Routing
import Tensors
import Testing

@Suite("what a router reads")
struct RouterInputsTests {
    @Test("leads to the picks of a run of the whole model", arguments: [0, 2])
    func picks(layer: Int) throws {
        let model = try TinyModel(seed: 3).model()
        let inputs = try RouterInputs(model, layer: layer)
        let text = noiseText(inputs.windowLength)
        let states = try inputs.states(of: text[...])
        #expect(states.count == text.count * inputs.width)
        let session = Session(model)
        session.recordsRoutes = true
        _ = try session.append(text)
        let routes = session.routes.filter { $0.layer == layer }.sorted {
            $0.position < $1.position
        }
        #expect(inputs.firstSelections(states) == routes.flatMap { $0.heads.map { $0.experts[0] } })
        #expect(inputs.picksPerToken == 2 && inputs.normWeights.count == 16)
    }

    @Test("depends neither on threads nor on what was read before or comes behind")
    func invariant() throws {
        // Longer than what the layers take at a time.
        let json = TinyModel.json.replacing(
            "\"context_length\": 20", with: "\"context_length\": 300")
        let model = try LanguageModel(
            config: PeerConfig(json: Array(json.utf8)), source: TinyModel(seed: 4))
        let text = noiseText(300)
        let inputs = try RouterInputs(model, layer: 2)
        let all = try inputs.states(of: text[...])
        let threads = try RouterInputs(model, layer: 2, team: ThreadTeam(count: 3))
        #expect(try threads.states(of: text[...]) == all)
        for count in [1, 20, 257] {
            #expect(try inputs.states(of: text[..<count]) == Array(all[..<(count * 16)]))
        }
        #expect(try inputs.states(of: text[...]) == all)
    }

    @Test("is refused of a layer without experts")
    func refused() throws {
        let model = try TinyModel().model()
        for layer in [-1, 1, 3] {
            let error = #expect(throws: CambiumError.self) { try RouterInputs(model, layer: layer) }
            #expect(error?.message.contains("layers with experts: 0, 2") == true)
        }
    }
}
