import Elements
import NumericSupport
import Routing
import Tensors
import Testing

@Suite("Gram sums of the digits of a product key")
struct DigitGramSumsTests {
    private let width = 10
    private let counts = (6, 5)

    /// Vectors around a centre for each digit, and the experts that they belong to.
    private func sample(_ tokens: Int, _ noise: inout Noise) -> (x: [Int16], experts: [UInt32]) {
        var (x, experts) = ([Int16](), [UInt32]())
        for _ in 0..<tokens {
            let first = Int(noise.bits() % UInt64(counts.0))
            let second = Int(noise.bits() % UInt64(counts.1))
            experts.append(UInt32(first * counts.1 + second))
            for feature in 0..<width {
                let table = feature < 6 ? first * 6 + feature : 100 + second * 6 + feature
                let centre = (table &* 2_654_435_761) % 401 - 200
                x.append(Int16(centre + Int(noise.bits() % 41) - 20))
            }
        }
        return (x, experts)
    }

    private func gramSums(
        _ data: (x: [Int16], experts: [UInt32]), _ tokens: Range<Int>
    ) throws -> DigitGramSums {
        var gramSums = DigitGramSums(width: width, digits: 2)
        try gramSums.add(
            data.x.span.extracting(tokens.lowerBound * width..<tokens.upperBound * width),
            experts: Array(data.experts[tokens]), second: UInt32(counts.1))
        return gramSums
    }

    private func readOuts(_ gramSums: DigitGramSums, threads: Int = 1) throws -> DigitReadOuts {
        let team = ThreadTeam(count: threads)
        let scales = [Float](repeating: 0.5, count: width)
        let first = try ReadOut(.ridge, of: gramSums.gramSums(0), lambda: 1e-3, team: team)
        let second = try ReadOut(.ridge, of: gramSums.gramSums(1), lambda: 1e-3, team: team)
        return DigitReadOuts([first, second], counts: counts, scales: scales)
    }

    private func router(_ gramSums: DigitGramSums) throws -> DigitRouter {
        DigitRouter(try readOuts(gramSums), topK: 4)
    }

    @Test("any division of the data, in any order, gives the router of all data, bit for bit")
    func splits() throws {
        var noise = Noise(seed: 41)
        let count = 400
        let data = sample(count, &noise)
        let once = try readOuts(gramSums(data, 0..<count))
        for round in 0..<40 {
            let all = try united(count, &noise, { try gramSums(data, $0) }) { try $0.add($1) }
            #expect(try readOuts(all, threads: 1 + round % 3) == once, "round \(round)")
        }
        #expect(try readOuts(gramSums(data, 0..<count - 1)) != once)
    }

    @Test("tell the experts of vectors that they never saw")
    func accuracy() throws {
        var noise = Noise(seed: 42)
        let router = try router(gramSums(sample(2_000, &noise), 0..<2_000))
        let test = sample(300, &noise)
        // The router reads activations: scaled by a half they are the features.
        let x = test.x.map { 2 * Float($0) }
        var selection = router.noPicks
        router.route(x.span, tokens: 300, into: &selection)
        let right = (0..<300).filter { selection.experts[$0 * 4] == test.experts[$0] }
        #expect(right.count > 270, "\(right.count) of 300")
        #expect(router.expertCount == 30)
    }

    @Test("never pick a digit without evidence before one with some")
    func unseen() throws {
        var noise = Noise(seed: 43)
        var data = sample(500, &noise)
        data.experts = data.experts.map { $0 / 5 == 3 ? 0 : $0 }
        let router = try router(gramSums(data, 0..<500))
        var selection = router.noPicks
        let x = data.x.map { 2 * Float($0) }
        router.route(x.span, tokens: 500, into: &selection)
        #expect(selection.experts.allSatisfy { $0 / 5 != 3 })
        #expect(selection.weights.allSatisfy { $0.isFinite })
    }

    @Test("of several heads pick for each as it would alone")
    func heads() throws {
        var noise = Noise(seed: 44)
        let data = (0..<2).map { _ in sample(300, &noise) }
        let scales = [Float](repeating: 0.5, count: width)
        var pairs: [[ReadOut]] = []
        for head in data {
            let sums = try gramSums(head, 0..<300)
            pairs.append(
                try (0..<2).map {
                    try ReadOut(.discriminant, of: sums.gramSums($0), lambda: 1e-3)
                })
        }
        let both = DigitRouter(
            DigitReadOuts(pairs[0] + pairs[1], counts: counts, scales: scales), topK: 4)
        let x = data[0].x.map { 2 * Float($0) }
        var selection = both.noPicks
        both.route(x.span, tokens: 300, into: &selection)
        for (head, pair) in pairs.enumerated() {
            let alone = DigitRouter(
                DigitReadOuts(pair, counts: counts, scales: scales), topK: 4)
            var own = alone.noPicks
            alone.route(x.span, tokens: 300, into: &own)
            for token in 0..<300 {
                #expect(
                    selection.route(token: token, head: head) == own.route(token: token, head: 0))
            }
        }
    }

    @Test("of leaves give those of each level of a tree")
    func levels() throws {
        var noise = Noise(seed: 45)
        var data = sample(200, &noise)
        data.experts = data.experts.map { $0 % 24 }
        let branching = [3, 2, 4]
        var leaves = DigitGramSums(width: width, digits: 2)
        try leaves.add(data.x.span, experts: data.experts, second: 24)
        var levels = DigitGramSums(width: width, branching: branching)
        try levels.add(data.x.span, leaves: data.experts, branching: branching)
        #expect(try leaves.levels(of: 1, branching: branching) == levels)
    }

    @Test("of several labels a vector count it as often")
    func several() throws {
        let x: [Int16] = [1, 2, 3, -4]
        var together = DigitGramSums(width: 2, digits: 2)
        try together.add(x.span, experts: [0, 7, 3, 3], second: 5, perToken: 2)
        var apart = DigitGramSums(width: 2, digits: 2)
        for experts in [[0, 3], [7, 3]] as [[UInt32]] {
            try apart.add(x.span, experts: experts, second: 5)
        }
        #expect(together == apart && together.count == 4)
        #expect(together.digits[0].classes.map(\.id) == [0, 1])
        #expect(together.digits[1].classes.map(\.id) == [0, 2, 3])
    }

    @Test("that do not fit each other are refused")
    func refused() throws {
        var two = DigitGramSums(width: 2, digits: 2)
        #expect(throws: CambiumError.self) { try two.add(DigitGramSums(width: 3, digits: 2)) }
        #expect(throws: CambiumError.self) { try two.add(DigitGramSums(width: 2, digits: 1)) }
        #expect(throws: CambiumError.self) { try DigitGramSums(digits: [], gram: []) }
        #expect(throws: CambiumError.self) {
            try DigitGramSums(digits: two.digits, gram: [0, 0])
        }
    }
}
