import NumericSupport
import Tensors
import Testing

@Suite("Ridge regression over integers")
struct IntegerRidgeTests {
    /// Rows of features and of targets that are a linear map of them.
    private struct Example {
        let features: [[Double]]
        let map: [[Double]]

        init(rows: Int, size: Int, targets: Int, seed: UInt64) {
            var noise = Noise(seed: seed)
            features = (0..<rows).map { _ in noise.floats(size).map { 3 * Double($0) } }
            map = (0..<size).map { _ in noise.floats(targets).map(Double.init) }
        }

        func row(_ index: Int) -> [Double] {
            features[index]
                + map[0].indices.map { target in
                    zip(features[index], map).reduce(0) { $0 + $1.0 * $1.1[target] }
                }
        }

        func sums(_ order: [Int], in parts: Int = 1) -> (sums: IntegerRidge.Sums, scales: [Double])
        {
            let (size, targets) = (map.count, map[0].count)
            var magnitude = (IntegerRidge.Magnitude(), IntegerRidge.Magnitude())
            for index in order {
                for number in row(index)[..<size] { magnitude.0.add(number) }
                for number in row(index)[size...] { magnitude.1.add(number) }
            }
            let scales =
                [Double](repeating: magnitude.0.scale, count: size)
                + [Double](repeating: magnitude.1.scale, count: targets)
            var sums = IntegerRidge.Sums(width: size + targets)
            for part in 0..<parts {
                let range = order.count * part / parts..<order.count * (part + 1) / parts
                let fits = IntegerRidge.add(rows: range.count, scales: scales, to: &sums) {
                    $1 = row(order[range.lowerBound + $0])
                }
                #expect(fits)
            }
            return (sums, scales)
        }

        func solution(
            _ order: [Int], parts: Int = 1, share: Double = 1e-9, team: ThreadTeam = .single
        ) throws -> [Double] {
            let (size, targets) = (map.count, map[0].count)
            let (sums, scales) = sums(order, in: parts)
            var terms: [Double] = []
            for row in 0..<size {
                for column in 0..<targets {
                    terms.append(sums[size + column, row] * (scales[0] / scales[size]))
                }
            }
            return try IntegerRidge.solve(
                sums, size: size, terms, columns: targets,
                towards: [Double](repeating: 0, count: size * targets), share: share, team: team)
        }
    }

    @Test("finds a linear map", arguments: [(40, 1, 1), (60, 5, 3), (9_000, 17, 9)])
    func map(rows: Int, size: Int, targets: Int) throws {
        let example = Example(rows: rows, size: size, targets: targets, seed: 4)
        let found = try example.solution(Array(0..<rows))
        for (one, other) in zip(found, example.map.joined()) {
            // Numbers were rounded to 1 in 2^14 at worst.
            #expect(abs(one - other) < 1e-3)
        }
    }

    @Test("gives one result for every order and division of the rows, and every number of threads")
    func order() throws {
        let example = Example(rows: 500, size: 20, targets: 6, seed: 5)
        let first = try example.solution(Array(0..<500))
        for parts in [1, 2, 7] {
            // 7 and 500 have no common divisor.
            let shuffled = (0..<500).map { ($0 * 7 + parts) % 500 }
            #expect(
                try example.solution(shuffled, parts: parts, team: ThreadTeam(count: parts))
                    == first)
        }
    }

    @Test(
        "stays at the start where there is nothing to learn from, and comes near it by a large ridge"
    )
    func start() throws {
        let start = [1.0, -2, 0.5, 7]
        let nothing = IntegerRidge.Sums(width: 2)
        let zeros = [0.0, 0, 0, 0]
        #expect(
            try IntegerRidge.solve(
                nothing, size: 2, zeros, columns: 2, towards: start, share: 1, team: .single)
                == start)
        var sums = IntegerRidge.Sums(width: 2)
        #expect(IntegerRidge.add(rows: 1, scales: [1, 1], to: &sums) { $1 = [3.0, 4] })
        let far = try IntegerRidge.solve(
            sums, size: 2, zeros, columns: 2, towards: start, share: 1e9, team: .single)
        for (one, other) in zip(far, start) { #expect(abs(one - other) < 1e-6) }
    }

    @Test("makes integers of numbers of any magnitude, and sees those that are not finite")
    func magnitudes() {
        for number in [1e-280, 3.7, 2e30, -1.5] {
            var magnitude = IntegerRidge.Magnitude()
            magnitude.add(number)
            let scaled = abs(number) * magnitude.scale
            #expect(scaled >= 16_384 && scaled < 32_768)
        }
        for bad in [Double.nan, .infinity, -.infinity] {
            var magnitude = IntegerRidge.Magnitude()
            for number in [1, bad, 2] { magnitude.add(number) }
            #expect(magnitude.largest == .infinity)
        }
        #expect(IntegerRidge.Magnitude().scale == 1)
    }

    @Test("multiplies its sums with weights")
    func product() {
        var sums = IntegerRidge.Sums(width: 3)
        #expect(IntegerRidge.add(rows: 1, scales: [1, 1, 1], to: &sums) { $1 = [1.0, 2, 3] })
        var out = [1.0, 0, 0, 0]
        IntegerRidge.addProduct(
            sums, size: 2, [1, 10, 2, 20], columns: 2, to: &out, team: ThreadTeam(count: 2))
        #expect(out == [6, 50, 10, 100])
    }
}
