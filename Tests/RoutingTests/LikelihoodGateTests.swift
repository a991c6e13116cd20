import Routing
import Testing

@Suite("Picking by likelihood")
struct LikelihoodGateTests {
    @Test("nothing seen, all weigh the same; then the better predictor wins, and decay forgets")
    func weights() {
        let gate = LikelihoodGate(modelCount: 3, decay: 1 << 15)
        var scores = gate.start
        #expect(Set(gate.weights(scores)) == [1 << 30])
        gate.advance(&scores, [0.5, 0.25, 0.125])
        #expect(scores == [-1 << 16, -2 << 16, -3 << 16])
        #expect(gate.weights(scores) == [1 << 30, 1 << 29, 1 << 28])
        gate.advance(&scores, [0.25, 0.25, 1])
        #expect(scores == [-163_840, -196_608, -98_304])
    }

    @Test("what is no probability counts as the least, and nothing traps")
    func odd() {
        let gate = LikelihoodGate(modelCount: 5)
        var scores = gate.start
        for _ in 0..<10_000 { gate.advance(&scores, [.nan, -1, 0, 1e-30, .infinity]) }
        #expect(Set(scores.prefix(4)).count == 1 && scores[4] == 0)
        #expect(gate.weights(scores) == [0, 0, 0, 0, 1 << 30])
    }

    @Test("a model behind a handicap counts less until its text has made up for it")
    func handicap() {
        let gate = LikelihoodGate(modelCount: 2, handicaps: [0, 3])
        var scores = gate.start
        #expect(scores == [0, -3 << 16])
        #expect(gate.weights(scores)[0] == 8 * gate.weights(scores)[1])
        for _ in 0..<4 { gate.advance(&scores, [0.25, 0.5]) }
        #expect(gate.weights(scores)[1] > gate.weights(scores)[0])
    }
}
