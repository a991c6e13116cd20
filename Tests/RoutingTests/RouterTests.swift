import CKernels
import Elements
import Glibc
import NumericSupport
import Routing
import Tensors
import Testing

@Suite("routers", .serialized)
struct RouterTests {
    private func picks(_ router: any Router, _ x: ArraySlice<Float>, threads: Int = 1) -> Selection
    {
        var selection = router.noPicks
        let x = Array(x)
        router.route(
            x.span, tokens: x.count / RouterKinds.width, into: &selection,
            team: ThreadTeam(count: threads))
        return selection
    }

    @Test(
        "a token has the same route, bit for bit, in any batch, variant and with any threads",
        arguments: RouterKinds.allCases)
    func invariance(kind: RouterKinds) {
        var noise = Noise(seed: 45)
        let router = kind.router(&noise)
        let most = 513
        let width = RouterKinds.width
        var x = noise.floats(most * width)
        // Near-ties: copies of a few tokens that differ in their last bits.
        let few = noise.floats(8 * width)
        for index in 0..<200 * width {
            let value = few[index % few.count]
            x[index] = noise.bits() % 3 == 0 ? value.nextUp : value
        }
        let perToken = router.heads * router.topK
        var experts: [UInt32] = []
        var weights: [UInt32] = []
        for token in 0..<most {
            let alone = picks(router, x[token * width..<(token + 1) * width])
            experts += alone.experts
            weights += alone.weights.map(\.bitPattern)
        }
        defer { cambium_use_variant(nil) }
        var index = 0
        while let variant = unsafe cambium_variant_at(index) {
            unsafe cambium_use_variant(variant)
            index += 1
            for (start, tokens) in [(0, 2), (7, 3), (100, 31), (250, 64), (0, most)] {
                for threads in [1, 2] {
                    let found = picks(
                        router, x[start * width..<(start + tokens) * width], threads: threads)
                    let range = start * perToken..<(start + tokens) * perToken
                    #expect(found.experts == Array(experts[range]))
                    #expect(found.weights.map(\.bitPattern) == Array(weights[range]))
                }
            }
        }
    }

    @Test("100,000 tokens have the same routes in batches of any size")
    func manyTokens() {
        var noise = Noise(seed: 48)
        let router = RouterKinds.sharedKeys.router(&noise)
        let width = RouterKinds.width
        var sizes: [Int] = []
        for _ in 0..<25 {
            let x = noise.floats(4000 * width)
            let whole = picks(router, x[...], threads: 2)
            var start = 0
            while start < 4000 {
                let size = min(4000 - start, 1 + Int(noise.bits() % 513))
                sizes.append(size)
                let part = picks(router, x[start * width..<(start + size) * width])
                let range = start * 10..<(start + size) * 10
                #expect(part.experts == Array(whole.experts[range]))
                #expect(
                    part.weights.map(\.bitPattern) == whole.weights[range].map(\.bitPattern))
                start += size
            }
        }
        #expect(sizes.count > 300)
    }

    @Test("routes have the shape that their router tells", arguments: RouterKinds.allCases)
    func shapes(kind: RouterKinds) {
        var noise = Noise(seed: 44)
        let router = kind.router(&noise)
        let x = noise.floats(5 * RouterKinds.width)
        let found = picks(router, x[...])
        for token in 0..<5 {
            for head in 0..<router.heads {
                let route = found.route(token: token, head: head)
                #expect(Set(route.experts).count == router.topK)
                #expect(route.experts.allSatisfy { $0 < router.expertCount })
                // DeepSeek's picks are in the order of the corrected scores; its weights are not, and
                // they add up to the scaling factor.
                let isCorrected = kind == .sigmoidOfGroups
                #expect(abs(route.weights.reduce(0, +) - (isCorrected ? 2.5 : 1)) < 1e-6)
                #expect(isCorrected || route.weights == route.weights.sorted(by: >))
                #expect(found.margins[token * router.heads + head] >= 0)
            }
        }
        let none = picks(router, x[0..<0])
        #expect(none.tokens == 0 && none.experts.isEmpty)
    }

    @Test("a NaN in a hidden state shows in the weights", arguments: RouterKinds.allCases)
    func notFinite(kind: RouterKinds) {
        var noise = Noise(seed: 43)
        let router = kind.router(&noise)
        var x = noise.floats(2 * RouterKinds.width)
        x[3] = .nan
        let found = picks(router, x[...])
        let perToken = router.heads * router.topK
        for (index, weight) in found.weights.enumerated() {
            #expect(index < perToken ? weight.isNaN : weight.isFinite)
        }
    }

    @Test("a linear router picks the best rows of W x")
    func linear() {
        var noise = Noise(seed: 46)
        let values = noise.floats(300 * 10)
        let router = LinearRouter(
            PackedMatrix(Matrix(rows: 300, columns: 10, values: values)), topK: 6)
        let x = noise.floats(4 * 10)
        var found = router.noPicks
        router.route(x.span, tokens: 4, into: &found, team: ThreadTeam(count: 2))
        for token in 0..<4 {
            var scores: [(score: Float, id: UInt32)] = []
            for row in 0..<300 {
                var sum: Float = 0
                for k in 0..<10 { sum = sum.addingProduct(x[token * 10 + k], values[row * 10 + k]) }
                scores.append((sum, UInt32(row)))
            }
            scores.sort { ($0.score, $1.id) > ($1.score, $0.id) }
            #expect(found.route(token: token, head: 0).experts == scores[..<6].map(\.id))
            #expect(found.margins[token] == scores[5].score - scores[6].score)
        }
    }

    /// Every leaf's score by plain recursion, in doubles.
    private func leaves(_ keys: [[Float]], _ branching: [Int], _ x: [Float]) -> [Double] {
        var paths = [0.0]
        for (level, children) in branching.enumerated() {
            var next: [Double] = []
            for (node, score) in paths.enumerated() {
                var products: [Double] = []
                for child in 0..<children {
                    let row = (node * children + child) * x.count
                    var sum = 0.0
                    for k in x.indices { sum += Double(x[k]) * Double(keys[level][row + k]) }
                    products.append(sum)
                }
                let sum = products.reduce(0.0) { $0 + exp($1) }
                next += products.map { score + $0 - log(sum) }
            }
            paths = next
        }
        return paths
    }

    @Test("with a wide beam a tree finds the best leaves", arguments: [[2, 3], [3, 4, 5], [7]])
    func tree(branching: [Int]) {
        var noise = Noise(seed: 47)
        let width = 9
        var nodes = 1
        var keys: [[Float]] = []
        for children in branching {
            nodes *= children
            keys.append(noise.floats(nodes * width))
        }
        let router = TreeRouter(
            keys: keys.map { Matrix(rows: $0.count / width, columns: width, values: $0) },
            branching: branching, beam: 60, topK: 4)
        #expect(router.expertCount == nodes)
        let x = noise.floats(6 * width)
        var found = router.noPicks
        router.route(x.span, tokens: 6, into: &found, team: ThreadTeam(count: 2))
        for token in 0..<6 {
            let scores = leaves(keys, branching, Array(x[token * width..<(token + 1) * width]))
            let best = scores.indices.sorted { scores[$0] > scores[$1] }.prefix(4)
            #expect(found.route(token: token, head: 0).experts == best.map(UInt32.init))
        }
    }

    @Test("equal keys tie, and the lower leaf wins at every level")
    func treeTies() {
        let keys = [4, 12].map {
            Matrix(rows: $0, columns: 3, values: [Float](repeating: 1, count: 3 * $0))
        }
        let router = TreeRouter(keys: keys, branching: [4, 3], beam: 2, topK: 5)
        var found = router.noPicks
        router.route([Float](repeating: 1, count: 3).span, tokens: 1, into: &found)
        #expect(found.experts == [0, 1, 2, 3, 4])
    }

    @Test("a narrow beam keeps the best paths of each level")
    func narrowBeam() {
        // The first level prefers node 1; the best leaf of all lies under node 0.
        let first = Matrix(rows: 2, columns: 1, values: [0, 0.1])
        let second = Matrix(rows: 4, columns: 1, values: [9, -9, 0, 0])
        let narrow = TreeRouter(keys: [first, second], branching: [2, 2], beam: 1, topK: 1)
        let wide = TreeRouter(keys: [first, second], branching: [2, 2], beam: 2, topK: 1)
        var (few, all) = (narrow.noPicks, wide.noPicks)
        narrow.route([Float(1)].span, tokens: 1, into: &few)
        wide.route([Float(1)].span, tokens: 1, into: &all)
        #expect(few.experts == [2] && all.experts == [0])
    }

    @Test("a gate by table picks the greatest weights")
    func gate() throws {
        let gate = try GramGate([0.5, 0, 2, 0.5])
        let all = gate.pick(count: 9)
        #expect(all.adapters == [2, 0, 3])
        #expect(abs(all.weights.reduce(0, +) - 1) < 1e-6 && all.weights[1] == all.weights[2])
        #expect(gate.pick(count: 1).weights == [1])
        for table in [[], [0], [-1, 2], [.nan], [.infinity]] as [[Float]] {
            #expect(throws: CambiumError.self) { try GramGate(table) }
        }
    }
}
