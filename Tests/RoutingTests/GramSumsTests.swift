import Elements
import Routing
import Tensors
import Testing

@Suite("routers solved from Gram sums")
struct GramSumsTests {
    private struct Sample {
        var features: [Int16] = []
        var labels: [UInt32] = []
    }

    /// Gaussian-like clouds around one centre per class.
    private func sample(_ count: Int, width: Int, classes: Int, seed: UInt64) -> Sample {
        var state = seed
        func next() -> Double {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Double(state >> 11) * 0x1p-53
        }
        var sample = Sample()
        for _ in 0..<count {
            let label = UInt32(next() * Double(classes))
            sample.labels.append(3 * label)
            for feature in 0..<width {
                let centre = Double((Int(label) * 37 + feature * 11) % 17 - 8) * 40
                let noise = (next() + next() + next() - 1.5) * 400
                sample.features.append(Int16(centre + noise))
            }
        }
        return sample
    }

    private func gramSums(_ sample: Sample, _ width: Int, _ range: Range<Int>) throws -> GramSums {
        var gramSums = GramSums(width: width)
        try gramSums.add(
            sample.features.span.extracting(range.lowerBound * width..<range.upperBound * width),
            labels: Array(sample.labels[range]))
        return gramSums
    }

    @Test("any division of the data, in any order, gives the same router, bit for bit")
    func splits() throws {
        let (width, count) = (20, 600)
        let data = sample(count, width: width, classes: 4, seed: 1)
        let joint = try gramSums(data, width, 0..<count)
        let expected = try ReadOut.Form.allCases.map { try ReadOut($0, of: joint, lambda: 1e-3) }
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<40 {
            let cuts = (0..<Int.random(in: 0...9, using: &generator)).map { _ in
                Int.random(in: 0...count, using: &generator)
            }
            let edges = [0] + cuts.sorted() + [count]
            var parts = try zip(edges, edges.dropFirst()).map {
                try gramSums(data, width, $0..<$1)
            }
            parts.shuffle(using: &generator)
            // A random tree of merges.
            while parts.count > 1 {
                let taken = parts.remove(at: Int.random(in: 0..<parts.count, using: &generator))
                let index = Int.random(in: 0..<parts.count, using: &generator)
                try parts[index].add(taken)
            }
            #expect(parts[0] == joint, "cuts \(cuts)")
            let team = ThreadTeam(count: Int.random(in: 1...3, using: &generator))
            let solved = try ReadOut.Form.allCases.map {
                try ReadOut($0, of: parts[0], lambda: 1e-3, team: team)
            }
            #expect(solved == expected, "cuts \(cuts)")
        }
    }

    @Test("both forms find classes that are apart", arguments: ReadOut.Form.allCases)
    func accuracy(form: ReadOut.Form) throws {
        let width = 12
        let train = sample(2000, width: width, classes: 5, seed: 2)
        let test = sample(500, width: width, classes: 5, seed: 3)
        let readOut = try ReadOut(form, of: gramSums(train, width, 0..<2000), lambda: 1e-4)
        #expect(readOut.classes == [0, 3, 6, 9, 12])
        let right = (0..<500).filter { index in
            readOut.best(test.features.span.extracting(index * width..<(index + 1) * width))
                == test.labels[index]
        }
        #expect(right.count > 475, "\(right.count) of 500")
    }

    @Test("ridge weights satisfy the normal equations")
    func normalEquations() throws {
        let (width, count) = (6, 300)
        let data = sample(count, width: width, classes: 3, seed: 4)
        let readOut = try ReadOut(.ridge, of: gramSums(data, width, 0..<count), lambda: 1e-9)
        // The gradient of the squared error at the solution, by features and bias.
        for index in readOut.classes.indices {
            var gradient = [Double](repeating: 0, count: width + 1)
            var scale = 0.0
            for row in 0..<count {
                let phi = (0..<width).map { Double(data.features[row * width + $0]) }
                var error = Double(readOut.biases[index])
                for feature in 0..<width {
                    error += Double(readOut.weights[index * width + feature]) * phi[feature]
                }
                if data.labels[row] == readOut.classes[index] { error -= 1 }
                for feature in 0..<width { gradient[feature] += error * phi[feature] }
                gradient[width] += error
                scale += phi.reduce(0) { $0 + abs($1) }
            }
            #expect(gradient.allSatisfy { abs($0) < 1e-5 * scale }, "\(gradient)")
        }
    }

    @Test("features that depend on each other are solved all the same")
    func singular() throws {
        var gramSums = GramSums(width: 3)
        // The third feature is the sum of the others, the first never changes.
        let features: [Int16] = [7, 1, 8, 7, -2, 5, 7, 5, 12, 7, 4, 11]
        try gramSums.add(features.span, labels: [1, 0, 2, 2])
        for form in ReadOut.Form.allCases {
            let readOut = try ReadOut(form, of: gramSums, lambda: 1e-12)
            #expect(readOut.weights.allSatisfy(\.isFinite) && readOut.biases.allSatisfy(\.isFinite))
        }
    }

    @Test("no evidence, and evidence that says nothing, are told")
    func unsolvable() throws {
        #expect(throws: CambiumError.self) {
            try ReadOut(.ridge, of: GramSums(width: 2), lambda: 1)
        }
        var same = GramSums(width: 2)
        try same.add([Int16](repeating: 5, count: 6).span, labels: [0, 1, 1])
        for form in ReadOut.Form.allCases {
            #expect(throws: CambiumError.self) { try ReadOut(form, of: same, lambda: 1) }
        }
    }

    @Test("Gram sums that cannot be, or do not fit, are refused")
    func refused() throws {
        let entry = GramSums.Class(id: 1, count: 2, sum: [1, 2])
        #expect(throws: CambiumError.self) {
            try GramSums(width: 2, classes: [entry, entry], gram: [1, 2, 3])
        }
        #expect(throws: CambiumError.self) {
            try GramSums(width: 2, classes: [entry], gram: [1, 2])
        }
        #expect(throws: CambiumError.self) {
            try GramSums(width: 0, classes: [], gram: [])
        }
        #expect(throws: CambiumError.self) {
            try GramSums(
                width: 2, classes: [GramSums.Class(id: 1, count: 0, sum: [0, 0])], gram: [0, 0, 0])
        }
        // Totals that leave their integers, and sums that so few vectors cannot have.
        func sums(_ id: UInt32, _ count: Int64, _ sum: Int64 = 0) -> GramSums.Class {
            GramSums.Class(id: id, count: count, sum: [sum])
        }
        for classes in [[sums(0, .max)], [sums(0, .max), sums(1, .max)], [sums(0, 1 << 32)]] {
            let error = #expect(throws: CambiumError.self) {
                try GramSums(width: 1, classes: classes, gram: [0])
            }
            #expect(error?.code == .overflow)
        }
        #expect(throws: CambiumError.self) {
            try GramSums(width: 1, classes: [sums(0, 2, 65_537)], gram: [0])
        }
        #expect(throws: CambiumError.self) {
            try GramSums(width: 1, classes: [sums(0, 2, .min)], gram: [0])
        }
        #expect(throws: CambiumError.self) {
            try GramSums(width: 1, classes: [sums(0, 2)], gram: [1 << 31 + 1])
        }
        var large = try GramSums(width: 1, classes: [sums(0, 1 << 31)], gram: [1 << 61])
        let error = #expect(throws: CambiumError.self) { try large.add(large) }
        #expect(error?.code == .overflow)
        var narrow = GramSums(width: 1)
        #expect(throws: CambiumError.self) { try narrow.add(GramSums(width: 2)) }
    }

    @Test("quantised features are rounded to the nearest, limited, and never a NaN")
    func quantiser() throws {
        let quantiser = try Quantiser(scales: [2, 1000])
        let features = try quantiser.features([0.25, 0.0015, 1.25, 9, -.infinity, 0].span)
        #expect(features == [0, 2, 2, 2047, -2047, 0])
        #expect(throws: CambiumError.self) { try quantiser.features([Float.nan, 1].span) }
        for scales in [[], [0], [-1], [.nan], [.infinity]] as [[Float]] {
            #expect(throws: CambiumError.self) { try Quantiser(scales: scales) }
        }
        let fitted = try Quantiser(fitting: [3, 0, -3, 0, 3, 0].span, width: 2)
        #expect(fitted.scales == [Float(256.0 / 3), 1])
        #expect(throws: CambiumError.self) {
            try Quantiser(fitting: [Float.nan].span, width: 1)
        }
    }
}
