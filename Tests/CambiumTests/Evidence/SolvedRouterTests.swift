import Checkpoints
import Evidence
import Foundation
import Routing
import Snapshots
import Tensors
import TestSupport
import Testing

@testable import Cambium

@Suite("Routers that are solved from evidence, in models")
struct SolvedRouterTests {
    /// What a router should pick for a state, by plain sums, with the scores of all experts, head by head.
    private func reference(_ solution: RouterSolution, _ x: ArraySlice<Float>) -> [[Double]] {
        func score(_ weights: [Float], _ biases: [Float], _ row: Int) -> Double {
            zip(x, weights[row * x.count..<(row + 1) * x.count]).reduce(Double(biases[row])) {
                $0 + Double($1.0) * Double($1.1)
            }
        }
        switch solution.readOuts {
        case .digits(let own):
            let (n, m) = own.counts
            return (0..<own.heads).map { head in
                (0..<n * m).map { expert in
                    score(own.weights, own.biases, head * n + expert / m)
                        + score(own.weights, own.biases, own.heads * n + head * m + expert % m)
                }
            }
        case .tree(let own):
            func shares(_ level: Int, _ nodes: Range<Int>) -> [Double] {
                let scores = nodes.map { score(own.keys[level], own.biases[level], $0) }
                let greatest = scores.max() ?? 0
                let sum = scores.reduce(0) { $0 + exp($1 - greatest) }
                return scores.map { $0 - greatest - log(sum) }
            }
            let first = shares(0, 0..<4)
            // Only what is below the beam's two paths is found.
            let kept = first.indices.sorted { first[$0] > first[$1] }.prefix(2)
            return [
                first.indices.flatMap { node in
                    shares(1, node * 4..<node * 4 + 4).map {
                        kept.contains(node) ? first[node] + $0 : -.infinity
                    }
                }
            ]
        }
    }

    @Test(
        "are committed, reopened, and pick what the read-outs say",
        arguments: RoutedCheckpoint.allCases, ReadOutForm.allCases)
    func run(_ kind: RoutedCheckpoint, _ form: ReadOutForm) throws {
        try withScratchDirectory { directory in
            let store = try kind.store(in: directory)
            try RoutedCheckpoint.add([0, 1], layer: 1, of: store)
            for layer in [-1, 2, 1 << 32, .max, .min] {
                let error = #expect(throws: CambiumError.self) {
                    try store.expertRouter("main", layer: layer, form: form)
                }
                #expect(error?.code == .notFound && error?.message.contains("\(layer)") == true)
            }
            let before = try store.expertRouter("main", layer: 1, form: form)
            let made = try store.commitRouter(
                layer: 1, form: form, threads: 2, Checkpoints.options("solved"))
            #expect(made.router.id == before.id && !made.result.unchanged)
            let again = try Store(directory + "/S", readOnly: true)
            // What it was solved from is not changed by it.
            let solved = try again.expertRouter("main", layer: 1, form: form)
            #expect(solved.id == before.id)
            #expect(try again.verify().faults.isEmpty)
            let text = Array(RoutedCheckpoint.texts[2].prefix(16))
            let reader = try GramReader(again.map("main"), layer: 1, ofExperts: true, .single)
            let heads = kind == .tree ? 1 : 2
            #expect(reader.source.heads == heads)
            var states: [Float] = []
            try reader.windows(text) { states += $2 }
            let model = try again.model("main")
            var checked = 0
            try model.routes(text, layers: [1]) { route in
                let width = RoutedCheckpoint.width
                let x = states[route.position * width..<(route.position + 1) * width]
                let scores = reference(solved.solved.solution, x)
                #expect(route.heads.count == heads)
                for (head, found) in route.heads.enumerated() {
                    let best = scores[head].indices.sorted { scores[head][$0] > scores[head][$1] }
                    let margin = scores[head][best[1]] - scores[head][best[2]]
                    guard margin > 1e-4, scores[head][best[0]] - scores[head][best[1]] > 1e-4
                    else { continue }
                    checked += 1
                    #expect(found.experts == Array(best.prefix(2)))
                    let share = 1 / (1 + exp(scores[head][best[1]] - scores[head][best[0]]))
                    #expect(abs(Double(found.weights[0]) - share) < 1e-3)
                }
                return true
            }
            #expect(checked > 8)
            let once = try model.evaluate(RoutedCheckpoint.texts[2]).bitsPerByte
            #expect(try model.evaluate(RoutedCheckpoint.texts[2], threads: 2).bitsPerByte == once)
            let small = try again.model("main", ModelOptions(memoryLimit: 8 << 30))
            #expect(try small.evaluate(RoutedCheckpoint.texts[2]).bitsPerByte == once)
            #expect(
                try again.model("main~1").evaluate(RoutedCheckpoint.texts[2]).bitsPerByte != once)
        }
    }

    @Test("come back from a checkpoint with the same bits", arguments: RoutedCheckpoint.allCases)
    func exported(_ kind: RoutedCheckpoint) throws {
        try withScratchDirectory { directory in
            let store = try kind.store(in: directory)
            try RoutedCheckpoint.add([0, 1], of: store)
            try store.commitRouter(layer: 0, Checkpoints.options("solved"))
            _ = try store.export("main", to: directory + "/out")
            try Store.create(at: directory + "/T")
            let other = try Store(directory + "/T")
            _ = try other.commit(checkpoint: directory + "/out", Checkpoints.options("again"))
            let (here, there) = (try store.tree("main"), try other.tree("main"))
            #expect(here.layers == there.layers && here.trunk == there.trunk)
            #expect(here.files["config.json"] == there.files["config.json"])
            let prompt = Array("the ".utf8)
            #expect(
                try store.model("main").generate(prompt, count: 30).bytes
                    == other.model("main").generate(prompt, count: 30).bytes)
            // The checkpoint follows the model that it came from, too.
            _ = try store.commit(
                checkpoint: directory + "/out", Checkpoints.options("same", branch: "main"))
            #expect(try store.tree("main").layers == here.layers)
        }
    }

    @Test("of assigned experts have one head, and are refused beside picks of several")
    func assigned() throws {
        try withScratchDirectory { directory in
            let store = try RoutedCheckpoint.productKeys.store(in: directory)
            let experts = RoutedCheckpoint.texts[0].map { UInt32($0) % 16 }
            try RoutedCheckpoint.add([0], of: store, assigned: experts)
            #expect(code { try RoutedCheckpoint.add([1], of: store) } == .usage)
            let made = try store.commitRouter(layer: 0, Checkpoints.options("assigned"))
            #expect(made.router.lambdas.count == 2 && made.router.experts == 16)
            var picks = 0
            try store.model("main").routes(RoutedCheckpoint.texts[0], layers: [0]) { route in
                picks += route.heads.count
                return true
            }
            #expect(picks == RoutedCheckpoint.texts[0].count)
            // From now on the layer has one head, so its own picks are of one, too.
            try RoutedCheckpoint.add([1], of: store)
            #expect(try store.expertRouter("main", layer: 0).evidence.count == 2)
        }
    }

    @Test(
        "without a text that was dropped are those that never saw it",
        arguments: RoutedCheckpoint.allCases)
    func dropped(_ kind: RoutedCheckpoint) throws {
        try withScratchDirectory { directory in
            let store = try kind.store(in: directory)
            try store.createBranch("never", at: "main", Checkpoints.signature)
            try RoutedCheckpoint.add([0, 1], of: store)
            try RoutedCheckpoint.add([0], to: "never", of: store)
            try store.commitRouter(layer: 0, Checkpoints.options("s", branch: "never"))
            try store.commitRouter(layer: 0, Checkpoints.options("s", branch: "main"))
            #expect(try store.tree("main").layers != store.tree("never").layers)
            let known = Set(try store.evidence("never").map(\.id))
            let extra = try store.evidence("main").map(\.id).filter { !known.contains($0) }
            _ = try store.dropEvidence(extra, Checkpoints.options("drop", branch: "main"))
            try store.commitRouter(layer: 0, Checkpoints.options("s", branch: "main"))
            #expect(try store.show("main").tree == store.show("never").tree)
            // Nothing is left to solve it from.
            _ = try store.dropEvidence(
                store.evidence("main").map(\.id), Checkpoints.options("drop", branch: "main"))
            #expect(
                code { try store.commitRouter(layer: 0, Checkpoints.options("s", branch: "main")) }
                    == .notFound)
        }
    }

    @Test("of several layers are solved upwards, and a lower one holds the upper ones' evidence")
    func layers() throws {
        try withScratchDirectory { directory in
            let store = try RoutedCheckpoint.productKeys.store(in: directory)
            try RoutedCheckpoint.add([0], of: store)
            try store.commitRouter(layer: 0, Checkpoints.options("lower"))
            try RoutedCheckpoint.add([0], layer: 1, of: store)
            #expect(
                code {
                    try store.commitRouter(layer: 1, form: .discriminant, Checkpoints.options("x"))
                } == .usage)
            try store.commitRouter(layer: 1, Checkpoints.options("upper"))
            let config = String(
                decoding: try store.snapshots.data(
                    of: #require(store.tree("main").files["config.json"])
                ).1, as: UTF8.self)
            #expect(config.contains(#""solved": {"form": "ridge", "heads": 2, "layers": [0, 1]}"#))
            #expect(try store.commitRouter(layer: 1, Checkpoints.options("same")).result.unchanged)
            #expect(try store.commitRouter(layer: 0, Checkpoints.options("same")).result.unchanged)
            let once = try store.model("main").evaluate(RoutedCheckpoint.texts[1]).bitsPerByte
            #expect(once.isFinite)
            // More evidence below would make that above another model's.
            try RoutedCheckpoint.add([1], of: store)
            #expect(
                code { try store.commitRouter(layer: 0, Checkpoints.options("x")) } == .dependedOn)
            let upper = try store.evidence("main").filter { $0.layer == 1 }.map(\.id)
            _ = try store.dropEvidence(upper, Checkpoints.options("drop"))
            #expect(try !store.commitRouter(layer: 0, Checkpoints.options("x")).result.unchanged)
            #expect(
                code { try store.commitRouter(layer: 1, Checkpoints.options("x")) } == .notFound)
            try RoutedCheckpoint.add([0, 1], layer: 1, of: store)
            #expect(try !store.commitRouter(layer: 1, Checkpoints.options("x")).result.unchanged)
        }
    }

    @Test("that cannot be are refused by name, and the branch stays")
    func refused() throws {
        try withScratchDirectory { directory in
            let store = try RoutedCheckpoint.productKeys.store(in: directory)
            let options = Checkpoints.options("x")
            #expect(code { try store.commitRouter(layer: 0, options) } == .notFound)
            #expect(code { try store.commitRouter(layer: 2, options) } == .unsupported)
            #expect(code { try store.commitRouter(layer: -1, options) } == .unsupported)
            #expect(code { try store.commitRouter(layer: 0, threads: 0, options) } == .usage)
            try RoutedCheckpoint.add([0], layer: 1, of: store)
            try store.commit(Checkpoints.options("dense")) { patch in
                try patch.put(
                    tensor: "model.layers.1.mlp.up_proj.weight", [UInt8](repeating: 0, count: 256))
            }
            let before = try store.resolve("main")
            let stale = #expect(throws: CambiumError.self) {
                try store.commitRouter(layer: 1, options)
            }
            #expect(stale?.code == .usage && stale?.message.contains("another trunk") == true)
            #expect(try store.resolve("main") == before)
            // Codes would not be what the evidence gives.
            try RoutedCheckpoint.add([0], of: store)
            try store.commitRouter(layer: 0, options)
            let said = #expect(throws: CambiumError.self) { try store.quantizeRouters(options) }
            #expect(said?.code == .unsupported && said?.message.contains("layer 0") == true)
            _ = try store.quantizeRouters(options, layers: [1])
        }
    }

    @Test(
        "contradicted by their config or tensors are refused", arguments: RoutedCheckpoint.allCases)
    func hostile(_ kind: RoutedCheckpoint) throws {
        try withScratchDirectory { directory in
            let store = try kind.store(in: directory)
            try RoutedCheckpoint.add([0], of: store)
            try store.commitRouter(layer: 0, Checkpoints.options("solved"))
            _ = try store.export("main", to: directory + "/out")
            let path = directory + "/out/config.json"
            let good = try #require(
                JSONSerialization.jsonObject(with: Data(contentsOf: URL(filePath: path)))
                    as? [String: Any])
            let heads = kind == .tree ? 1 : 2
            func solved(_ layers: Any, _ heads: Any, _ form: Any) -> [String: Any] {
                ["layers": layers, "heads": heads, "form": form]
            }
            for wrong: Any? in [
                solved([], heads, "ridge"), solved([2], heads, "ridge"),
                solved([-1], heads, "ridge"), solved([0, 0], heads, "ridge"),
                solved([1, 0], heads, "ridge"), solved("0", heads, "ridge"),
                solved([0], 0, "ridge"), solved([0], heads + 1, "ridge"),
                solved([0], Double(heads) + 0.5, "ridge"), solved([0], 1 << 40, "ridge"),
                solved([0], heads, "lasso"), solved([0], heads, 3), ["layers": [0]], 7,
                solved([0, 1], heads, "ridge"), solved([1], heads, "ridge"), nil,
            ] {
                var config = good
                config["solved"] = wrong
                try JSONSerialization.data(withJSONObject: config, options: .sortedKeys)
                    .write(to: URL(filePath: path))
                #expect(
                    code {
                        try store.commit(checkpoint: directory + "/out", Checkpoints.options("x"))
                    } != nil, "\(wrong ?? "nothing")")
            }
        }
        try withScratchDirectory { directory in
            // Another router's tensors beside those of the layer's.
            let path = try kind.write(to: directory + "/both") { checkpoint in
                checkpoint.tensors.append(
                    (
                        "model.layers.0.peer.digits.weight", [16, 8],
                        [Float](repeating: 0, count: 128)
                    ))
                checkpoint.tensors.append(
                    ("model.layers.0.peer.digits.bias", [16], [Float](repeating: 0, count: 16)))
            }
            try Store.create(at: directory + "/S")
            let store = try Store(directory + "/S")
            #expect(
                code { try store.commit(checkpoint: path, Checkpoints.options("x")) } == .badConfig)
        }
    }

    @Test("picks that an earlier version counted once for a byte are not added to those of weights")
    func earlierPicks() throws {
        try withScratchDirectory { directory in
            let store = try RoutedCheckpoint.productKeys.store(in: directory)
            try RoutedCheckpoint.add([0], of: store)
            let record = try #require(
                store.snapshots.map(store.snapshots.resolve("main")).evidence().gramSums.first)
            let old = try GramContribution(
                adapter: record.adapter, label: "", data: [UInt8](repeating: 7, count: 32),
                byteCount: UInt64(record.fitted.count + record.heldOut.count),
                source: record.source, fitted: record.fitted, heldOut: record.heldOut)
            try store.commit(Checkpoints.options("old")) { patch in
                try patch.model.add(.gramSums(old))
            }
            for run in [
                { try RoutedCheckpoint.add([1], of: store) },
                { _ = try store.commitRouter(layer: 0, Checkpoints.options("solved")) },
            ] {
                let error = #expect(throws: CambiumError.self) { try run() }
                #expect(error?.code == .usage)
                #expect(error?.message.contains("as an earlier version did") == true)
            }
        }
    }
}
