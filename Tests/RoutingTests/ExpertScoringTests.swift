import Glibc
import Routing
import Tensors
import Testing

@Suite("scores, picks and weights of linear routers")
struct ExpertScoringTests {
    /// What a router makes of these scores: its matrix passes them on.
    private func route(
        _ scores: [Float], bias: [Float] = [], topK: Int, _ scoring: ExpertScoring
    ) -> Route {
        let count = scores.count
        var identity = [Float](repeating: 0, count: count * count)
        for index in 0..<count { identity[index * count + index] = 1 }
        let router = LinearRouter(
            PackedMatrix(Matrix(rows: count, columns: count, values: identity)), bias: bias,
            topK: topK, scoring: scoring)
        var selection = router.noPicks
        router.route(scores.span, tokens: 1, into: &selection)
        return selection.route(token: 0, head: 0)
    }

    private func expectWeights(_ route: Route, _ wanted: [Double]) {
        for (found, exact) in zip(route.weights, wanted) {
            #expect(abs(Double(found) - exact) < 1e-6)
        }
        #expect(route.weights.count == wanted.count)
    }

    static let scores: [Float] = [0.1, 2, -1, 1.5, 0.3, 2]

    @Test("the softmax of the picked sums to one, whatever the others are")
    func softmaxOfPicked() {
        let route = route(Self.scores, topK: 3, .softmaxOfPicked)
        #expect(route.experts == [1, 5, 3])
        let sum = 2 * exp(2.0) + exp(1.5)
        expectWeights(route, [exp(2.0) / sum, exp(2.0) / sum, exp(1.5) / sum])
    }

    @Test("the softmax of all keeps its probabilities, or divides them by their sum")
    func softmaxOfAll() {
        let plain = route(Self.scores, topK: 2, .softmaxOfAll(normalised: false))
        #expect(plain.experts == [1, 5])
        let sum = Self.scores.reduce(0) { $0 + exp(Double($1)) }
        expectWeights(plain, [exp(2.0) / sum, exp(2.0) / sum])
        let normalised = route(Self.scores, topK: 2, .softmaxOfAll(normalised: true))
        expectWeights(normalised, [0.5, 0.5])
    }

    @Test("a bias decides who is picked")
    func bias() {
        let route = route(
            Self.scores, bias: [5, 0, 0, 0, 0, 0], topK: 1, .softmaxOfAll(normalised: false))
        #expect(route.experts == [0])
    }

    private func sigmoid(_ x: Double) -> Double { 1 / (1 + exp(-x)) }

    @Test("a correction steers the picks of sigmoids, not their weights")
    func correction() {
        let scoring = ExpertScoring.grouped(
            GroupedScoring(
                correction: [1, 0, 1, 0, 0, 0], groups: 1, pickedGroups: 1, isNormalised: true,
                scale: 2.5))
        let route = route(Self.scores, topK: 3, scoring)
        // 1.52, 0.88, 1.27, 0.82, 0.57, 0.88: of the equal ones the lower.
        #expect(route.experts == [0, 2, 1])
        let weights = [0.1, -1.0, 2.0].map(sigmoid)
        let sum = weights.reduce(0, +)
        for (found, exact) in zip(route.weights, weights) {
            #expect(abs(Double(found) - 2.5 * exact / sum) < 1e-5)
        }
    }

    @Test("experts outside the best groups are not picked, however good")
    func groups() {
        // Groups of two: sums of sigmoids 1.4, 1.09, 1.46; expert 1 is the best of all.
        let scores: [Float] = [0.1, 2.2, -1, 1.5, 1, 1.01]
        func scoring(_ picked: Int, _ correction: [Float]) -> ExpertScoring {
            .grouped(
                GroupedScoring(
                    correction: correction, groups: 3, pickedGroups: picked, isNormalised: false,
                    scale: 1))
        }
        let none = [Float](repeating: 0, count: 6)
        #expect(route(scores, topK: 2, scoring(1, none)).experts == [5, 4])
        #expect(route(scores, topK: 2, scoring(2, none)).experts == [1, 5])
        #expect(route(scores, topK: 2, scoring(3, none)).experts == [1, 3])
        // Corrections that make every choice of the best group negative: it is picked all the same.
        let low = [Float](repeating: -3, count: 6)
        #expect(route(scores, topK: 2, scoring(1, low)).experts == [5, 4])
        expectWeights(route(scores, topK: 2, scoring(1, low)), [sigmoid(1.01), sigmoid(1)])
    }

    @Test("shares of a softmax are picked in groups, by one or two of each, and corrected")
    func groupedShares() {
        let scores: [Float] = [0.1, 2.2, -1, 1.9, 1.5, 1.8]
        let sum = scores.reduce(0) { $0 + exp(Double($1)) }
        func scoring(
            _ best: Int, correction: [Float] = [], normalised: Bool = false
        ) -> ExpertScoring {
            .grouped(
                GroupedScoring(
                    score: .softmax, correction: correction, groups: correction.isEmpty ? 3 : 1,
                    pickedGroups: 1, groupBest: best, isNormalised: normalised, scale: 2))
        }
        // The best of all is in the first group, the best two together in the last.
        let one = route(scores, topK: 2, scoring(1))
        #expect(one.experts == [1, 0])
        expectWeights(one, [2 * exp(Double(Float(2.2))) / sum, 2 * exp(Double(Float(0.1))) / sum])
        #expect(route(scores, topK: 2, scoring(2)).experts == [5, 4])
        let steered = route(
            scores, topK: 2, scoring(2, correction: [1, 0, 0, 0, 0, 0], normalised: true))
        #expect(steered.experts == [0, 1])
        let pair = exp(0.1) + exp(2.2)
        expectWeights(steered, [2 * exp(0.1) / pair, 2 * exp(2.2) / pair])
    }

    @Test("SparseMixer weighs each pick by what is near it")
    func sparseMixer() {
        // Within a tenth of the highest are 2 and 1.85; without it, of 1.85 nothing else.
        let route = route([2, 0.5, 1.85, -3], topK: 2, .sparseMixer(jitter: 0.05))
        #expect(route.experts == [0, 2])
        expectWeights(route, [1 / (1 + exp(Double(Float(1.85)) - 2)), 1])
    }

    @Test("a score that is no number shows in the weights")
    func notFinite() {
        for scoring in [
            ExpertScoring.softmaxOfPicked, .softmaxOfAll(normalised: true),
            .grouped(
                GroupedScoring(
                    correction: [0, 0, 0, 0], groups: 2, pickedGroups: 1, isNormalised: true,
                    scale: 1)), .sparseMixer(jitter: 0.1),
        ] {
            let route = route([1, 2, .nan, 0], topK: 2, scoring)
            #expect(route.weights.contains { $0.isNaN }, "\(scoring)")
        }
    }
}
