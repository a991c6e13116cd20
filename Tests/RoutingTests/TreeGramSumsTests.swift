import Elements
import NumericSupport
import Routing
import Tensors
import Testing

@Suite("Gram sums of the leaves of a tree")
struct TreeGramSumsTests {
    private let width = 12
    private let branching = [3, 2, 4]

    /// Vectors around a centre for each leaf, near those of its siblings.
    private func sample(_ tokens: Int, _ noise: inout Noise) -> (x: [Int16], leaves: [UInt32]) {
        var (x, leaves) = ([Int16](), [UInt32]())
        for _ in 0..<tokens {
            let leaf = Int(noise.bits() % 24)
            leaves.append(UInt32(leaf))
            for feature in 0..<width {
                let node = [leaf / 8, leaf / 4, leaf][feature % 3] + 30 * (feature % 3)
                let centre = ((node * 12 + feature) &* 2_654_435_761) % 401 - 200
                x.append(Int16(centre + Int(noise.bits() % 41) - 20))
            }
        }
        return (x, leaves)
    }

    private func gramSums(
        _ data: (x: [Int16], leaves: [UInt32]), _ tokens: Range<Int>
    ) throws -> DigitGramSums {
        var gramSums = DigitGramSums(width: width, branching: branching)
        try gramSums.add(
            data.x.span.extracting(tokens.lowerBound * width..<tokens.upperBound * width),
            leaves: Array(data.leaves[tokens]), branching: branching)
        return gramSums
    }

    private func readOuts(
        _ gramSums: DigitGramSums, _ form: ReadOut.Form = .ridge, threads: Int = 1
    ) throws -> [ReadOut] {
        try branching.indices.map {
            try ReadOut(
                form, of: gramSums.gramSums($0), lambda: 1e-3, team: ThreadTeam(count: threads))
        }
    }

    private func picks(_ readOuts: [ReadOut], _ x: [Int16], beam: Int, topK: Int) -> Selection {
        let router = TreeRouter(
            TreeReadOuts(
                readOuts, branching: branching, scales: [Float](repeating: 0.5, count: width)),
            beam: beam, topK: topK)
        var selection = router.noPicks
        let activations = x.map { 2 * Float($0) }
        router.route(activations.span, tokens: x.count / width, into: &selection)
        return selection
    }

    @Test("any division of the data, in any order, gives the tree of all data, bit for bit")
    func splits() throws {
        var noise = Noise(seed: 51)
        let count = 300
        let data = sample(count, &noise)
        let once = try readOuts(gramSums(data, 0..<count))
        for round in 0..<30 {
            let all = try united(count, &noise, { try gramSums(data, $0) }) { try $0.add($1) }
            #expect(try readOuts(all, threads: 1 + round % 3) == once, "round \(round)")
        }
        // Who drops the last text has the tree that never saw it.
        #expect(try readOuts(gramSums(data, 0..<count - 1)) != once)
    }

    @Test("tell the leaves of vectors that they never saw", arguments: ReadOut.Form.allCases)
    func accuracy(form: ReadOut.Form) throws {
        var noise = Noise(seed: 52)
        let solved = try readOuts(gramSums(sample(3_000, &noise), 0..<3_000), form)
        let test = sample(300, &noise)
        let found = picks(solved, test.x, beam: 3, topK: 2)
        let right = (0..<300).filter { found.experts[2 * $0] == test.leaves[$0] }
        #expect(right.count > 270, "\(right.count) of 300")
    }

    @Test("distil a trained tree: what it picks first is picked first again")
    func distilled() throws {
        var noise = Noise(seed: 53)
        let sizes = [3, 6, 24]
        let keys = sizes.map { rows in
            Matrix(
                rows: rows, columns: width,
                values: (0..<rows * width).map { _ in noise.float() / 80 })
        }
        let trained = TreeRouter(keys: keys, branching: branching, beam: 6, topK: 1)
        func leaves(_ x: [Int16]) -> [UInt32] {
            var selection = trained.noPicks
            let activations = x.map { 2 * Float($0) }
            trained.route(activations.span, tokens: x.count / width, into: &selection)
            return selection.experts
        }
        func vectors(_ count: Int) -> [Int16] {
            (0..<count * width).map { _ in Int16(noise.bits() % 401) - 200 }
        }
        let (x, test) = (vectors(6_000), vectors(500))
        let solved = try readOuts(gramSums((x, leaves(x)), 0..<6_000), .discriminant)
        let (found, wanted) = (picks(solved, test, beam: 6, topK: 4), leaves(test))
        let first = (0..<500).count { found.experts[4 * $0] == wanted[$0] }
        let among = (0..<500).count { found.experts[4 * $0..<4 * $0 + 4].contains(wanted[$0]) }
        #expect(first > 300 && among > 450, "\(first) first and \(among) among four, of 500")
    }

    @Test(
        "never pick a leaf without evidence before one with some; a leaf that is not there is refused"
    )
    func unseen() throws {
        var noise = Noise(seed: 54)
        var data = sample(500, &noise)
        data.leaves = data.leaves.map { $0 / 8 == 1 || $0 == 5 ? 0 : $0 }
        let found = picks(
            try readOuts(gramSums(data, 0..<500)), data.x, beam: 4, topK: 8)
        #expect(found.experts.allSatisfy { $0 / 8 != 1 && $0 != 5 })
        #expect(found.weights.allSatisfy { $0.isFinite })
        var gramSums = DigitGramSums(width: width, branching: branching)
        #expect(throws: CambiumError.self) {
            try gramSums.add(
                data.x.span.extracting(0..<width), leaves: [24], branching: branching)
        }
    }
}
