import Architectures
import Elements
import Models
import Tensors
import Testing
import Training

@Suite("Use of experts")
struct ExpertUseTests {
    static let text = Array(String(repeating: "a rose is a rose, and so on. ", count: 9).utf8)

    @Test(
        "is what the passes pick, with any number of threads",
        arguments: [false, true])
    func counts(hasLinearLayers: Bool) throws {
        var config = try tinyConfig(experts: true)
        if hasLinearLayers {
            config = try config.replacingExperts(
                linear: PeerConfig.Linear(experts: 5, topK: 2, width: 8), layers: [0, 1])
        }
        let model = TrainableModel(config: config, seed: 3)
        let size = config.contextLength
        let windows = Self.text.count / size
        var selection = [[Int]](
            repeating: [Int](repeating: 0, count: config.expertCount), count: 2)
        var windowsOf = selection
        let pass = ForwardBackward(model: model, windows: 1, length: size, usesExperts: true)
        for window in 0..<windows {
            pass.forward(Array(Self.text[window * size..<(window + 1) * size]))
            for (layer, ids) in pass.selection.enumerated() {
                for id in ids { selection[layer][Int(id)] += 1 }
                for id in Set(ids) { windowsOf[layer][Int(id)] += 1 }
            }
        }
        for threads in [1, 2, 3] {
            let use = try ExpertUse(of: Self.text, under: model, threads: threads)
            #expect(use.windows == windows)
            #expect(use.selection == selection && use.windowsOf == windowsOf)
        }
        #expect(throws: CambiumError.self) {
            try ExpertUse(of: Array(Self.text[..<(size - 1)]), under: model)
        }
    }

    @Test("the most specific experts are those of the best tf · idf, lower numbers first")
    func specific() {
        // Expert 1 is in every window of the background; 5 is not picked.
        let chosen = { (count: Int) in
            ExpertUse.mostSpecific(
                count, of: [[0, 8, 4, 4, 4, 0]], background: [[0, 10, 0, 0, 9, 0]],
                backgroundWindows: 10)
        }
        #expect(chosen(1) == [[2]])
        #expect(chosen(2) == [[2, 3]])
        #expect(chosen(9) == [[2, 3, 4]])
    }

    @Test("editing trains the chosen experts' rows and nothing else", arguments: [false, true])
    func edits(hasLinearLayers: Bool) throws {
        var config = try tinyConfig(experts: true)
        if hasLinearLayers {
            config = try config.replacingExperts(
                linear: PeerConfig.Linear(experts: 3, topK: 2, width: 8), layers: [0, 1])
        }
        let model = TrainableModel(config: config, seed: 3)
        let use = try ExpertUse(of: Self.text, under: model)
        let none = use.selection.map { $0.map { _ in 0 } }
        let chosen = ExpertUse.mostSpecific(
            2, of: use.selection, background: none, backgroundWindows: 4)
        #expect(chosen.allSatisfy { $0.count == 2 })
        let before = model.copy()
        let parameters = EditedExperts(model, experts: chosen)
        var settings = TrainingSettings(budget: .steps(4), seed: 1)
        (settings.windows, settings.warmUp, settings.rate) = (2, 1, 1e-2)
        _ = try train(parameters, on: [TrainingText(Self.text)], settings: settings)
        let old = EditedExperts(before, experts: chosen)
        for slot in 0..<2 {
            for expert in 0..<config.expertCount {
                let (one, two) = (
                    old.expert(expert, slot: slot), parameters.expert(expert, slot: slot)
                )
                #expect((one != two) == chosen[slot].contains(expert))
            }
        }
        for entry in model.layout.entries where entry.role != .expert {
            #expect(model.weights[entry.range].array == before.weights[entry.range].array)
        }
    }
}
