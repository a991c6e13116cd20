import Testing

@testable import Training

@Suite("Curves of loss")
struct LossCurveTests {
    @Test("a short run keeps every step", arguments: [0, 1, 2, 511])
    func short(count: Int) {
        var curve = LossCurve()
        for step in 0..<count { curve.add(Double(step)) }
        #expect(curve.points.map(\.step) == Array(1..<(count + 1)))
        #expect(curve.points.map(\.loss) == (0..<count).map(Double.init))
    }

    @Test(
        "a long run keeps few points, each the mean of the steps since the one before",
        arguments: [512, 513, 1_023, 1_024, 10_000, 100_001])
    func long(count: Int) {
        var curve = LossCurve()
        for step in 0..<count { curve.add(Double(step % 1_000)) }
        #expect(curve.points.count <= LossCurve.limit && curve.points.count >= LossCurve.limit / 2)
        #expect(curve.points.last?.step == count)
        var last = 0
        for point in curve.points {
            let steps = last..<point.step
            let mean = steps.reduce(0.0) { $0 + Double($1 % 1_000) } / Double(steps.count)
            #expect(abs(point.loss - mean) < 1e-6)
            last = point.step
        }
    }

    @Test("a curve goes on where it was kept, and nonsense is none")
    func kept() throws {
        var whole = LossCurve()
        for step in 0..<3_000 { whole.add(1 / Double(step + 1)) }
        var first = LossCurve()
        for step in 0..<1_234 { first.add(1 / Double(step + 1)) }
        var rest = try #require(
            LossCurve(
                stride: first.stride, values: first.values, sum: first.rest.sum,
                count: first.rest.count))
        for step in 1_234..<3_000 { rest.add(1 / Double(step + 1)) }
        #expect(rest == whole)
        #expect(LossCurve(stride: 3, values: [], sum: 0, count: 0) == nil)
        #expect(LossCurve(stride: 2, values: [], sum: 0, count: 2) == nil)
        #expect(LossCurve(stride: 1, values: [.nan], sum: 0, count: 0) == nil)
    }
}
