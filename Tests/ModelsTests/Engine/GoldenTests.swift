import Foundation
import Models
import Routing
import Testing

@Suite("parity with PyTorch", .enabled(if: Shared.isPresent, "without trained checkpoints"))
struct GoldenTests {
    /// PyTorch's own float32 and float64 logits differ by up to 1.3e-5, and the file rounds to six
    /// digits (5e-5 at logits of 10 and more).
    static let logitTolerance: Float = 2e-4
    /// Below this margin rounding may decide a pick.
    static let nearTie: Float = 1e-4
    static let gateTolerance: Float = 2e-5

    @Test("logits, experts and gates equal the recorded ones", arguments: Shared.checkpointNames)
    func matchesGolden(name: String) throws {
        let golden = try Shared.golden()
        let model = try Shared.model(name)
        for (prompt, run) in zip(golden.prompts, try #require(golden.checkpoints[name])) {
            let session = Session(model)
            session.recordsRoutes = true
            let logits = try session.append(prompt.bytes, logits: .all)
            let tail = logits.suffix(4 * 256)
            let difference = zip(tail, run.logits_last4.joined()).map { abs($0 - $1) }.max()
            #expect(try #require(difference) < Self.logitTolerance, "prompt \(prompt.name)")
            for record in session.routes where record.position == prompt.bytes.count - 1 {
                compare(record, try #require(run.experts["\(record.layer)"]), prompt.name)
            }
        }
    }

    private func compare(_ record: Session.RouteRecord, _ layer: Golden.Layer, _ prompt: String) {
        for (head, route) in record.heads.enumerated() {
            let margin = layer.margin_pick8_vs_9[head]
            #expect(abs(record.margins[head] - margin) < 1e-4, "\(prompt) head \(head)")
            guard margin > Self.nearTie else { continue }
            #expect(
                Set(route.experts) == Set(layer.ids[head]),
                "\(prompt) layer \(record.layer) head \(head)")
            let gates = Dictionary(
                uniqueKeysWithValues: zip(layer.ids[head], layer.gates[head]))
            for (expert, weight) in zip(route.experts, route.weights) {
                #expect(abs(weight - (gates[expert] ?? .nan)) < Self.gateTolerance)
            }
        }
    }
}
