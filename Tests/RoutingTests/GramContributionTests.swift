import Elements
import NumericSupport
import Routing
import Tensors
import Testing

@Suite("Contributions of Gram sums")
struct GramContributionTests {
    private func source(
        digits: [UInt32] = [1], layer: UInt32 = 2, trunk: UInt8 = 5, scale: Float = 2
    ) throws -> GramContribution.Source {
        try GramContribution.Source(
            layer: layer, trunk: [UInt8](repeating: trunk, count: 32),
            quantiser: Quantiser(scales: [1, scale, 3]), digits: digits)
    }

    private func record(
        _ source: GramContribution.Source, adapter: String = "swahili", label: String = "",
        data: UInt8 = 7, heldOut: Int = 3, seed: UInt64 = 1
    ) throws -> GramContribution {
        var noise = Noise(seed: seed)
        func part(_ tokens: Int) throws -> DigitGramSums {
            var part = source.nothing
            let x = (0..<tokens * 3).map { _ in Int16(noise.bits() % 200) - 100 }
            let labels = source.digits.map { values in
                (0..<tokens).map { _ in UInt32(noise.bits() % UInt64(values)) }
            }
            try part.add(x.span, labels: labels)
            return part
        }
        return try GramContribution(
            adapter: adapter, label: label, data: [UInt8](repeating: data, count: 32),
            byteCount: 40, source: source, fitted: part(9), heldOut: part(heldOut))
    }

    @Test("come back from their bytes", arguments: [[1], [4, 6]] as [[UInt32]], [0, 3])
    func roundTrip(digits: [UInt32], heldOut: Int) throws {
        let record = try record(source(digits: digits), label: "round 1", heldOut: heldOut)
        #expect(try GramContribution(decoding: record.encoded) == record)
    }

    @Test("have these bytes, which docs/format.md explains")
    func goldenBytes() throws {
        let source = try GramContribution.Source(
            layer: 3, trunk: [UInt8](repeating: 9, count: 32),
            quantiser: Quantiser(scales: [0.5]), digits: [1])
        var fitted = source.nothing
        let x: [Int16] = [2, -3]
        try fitted.add(x.span, labels: [[0, 0]])
        let record = try GramContribution(
            adapter: "x", label: "", data: [UInt8](repeating: 7, count: 32), byteCount: 2,
            source: source, fitted: fitted, heldOut: source.nothing)
        let names: [UInt8] = Array("CEVM".utf8) + [1, 1, 0x78, 0]
        let data = [UInt8](repeating: 7, count: 32) + [2]
        let trunk: [UInt8] = [3] + [UInt8](repeating: 9, count: 32)
        // One scale, 0.5; one digit of one value.
        let scales: [UInt8] = [1, 0, 0, 0, 0x3f, 1, 1]
        // One class: id 0, 2 vectors, sum -1; the product 13. Then nothing held out.
        let sums: [UInt8] =
            [1, 0, 2] + [UInt8](repeating: 0xff, count: 8) + [13, 0, 0, 0, 0, 0, 0, 0] + [0]
        #expect(record.encoded == names + data + trunk + scales + sums)
    }

    @Test("cut off anywhere are refused, and so is more behind them")
    func truncated() throws {
        let bytes = try record(source(digits: [4, 6])).encoded
        for count in 0..<bytes.count {
            #expect(throws: CambiumError.self) {
                try GramContribution(decoding: Array(bytes[..<count]))
            }
        }
        #expect(throws: CambiumError.self) { try GramContribution(decoding: bytes + [0]) }
    }

    @Test("of many features and no vectors make no room for their products")
    func hollow() {
        // 65,536 features would have products of 17 GB.
        let width = 65_536
        var bytes =
            Array("CEVM".utf8) + [1, 1, 0x78, 0] + [UInt8](repeating: 7, count: 32) + [2, 3]
        bytes += [UInt8](repeating: 9, count: 32) + [0x80, 0x80, 4]
        for _ in 0..<width { bytes += [0, 0, 0x80, 0x3f] }
        let error = #expect(throws: CambiumError.self) {
            try GramContribution(decoding: bytes + [1, 1] + [0, 0])
        }
        #expect(error?.message.contains("no vector") == true)
    }

    @Test("with any byte changed are refused or are another contribution, never a trap")
    func tampered() throws {
        let record = try record(source(digits: [4, 6]))
        let bytes = record.encoded
        for position in bytes.indices {
            for value in [0, 1, 0x7f, 0x80, 0xff] as [UInt8] where bytes[position] != value {
                var changed = bytes
                changed[position] = value
                guard let found = try? GramContribution(decoding: changed) else { continue }
                #expect(found != record && found.encoded == changed)
            }
        }
    }

    @Test("of nothing, of other digits or without a digest are refused")
    func limits() throws {
        let source = try source(digits: [4, 6])
        let good = try record(source)
        func make(
            _ fitted: DigitGramSums, data: Int = 32, adapter: String = "a"
        ) throws -> GramContribution {
            try GramContribution(
                adapter: adapter, label: "", data: [UInt8](repeating: 0, count: data), byteCount: 9,
                source: source, fitted: fitted, heldOut: source.nothing)
        }
        #expect(throws: CambiumError.self) { try make(source.nothing) }
        #expect(throws: CambiumError.self) { try make(good.fitted, data: 31) }
        #expect(throws: CambiumError.self) { try make(good.fitted, adapter: "") }
        #expect(throws: CambiumError.self) { try make(DigitGramSums(width: 3, digits: 1)) }
        var outside = source.nothing
        let x: [Int16] = [1, 2, 3]
        try outside.add(x.span, labels: [[4], [0]])
        #expect(throws: CambiumError.self) { try make(outside) }
        for digits in [[], [0, 2], [2], [1, 2, 3], [4, 4, 4, 5], [1, 1 << 24 + 1]] as [[UInt32]] {
            #expect(throws: CambiumError.self) { try self.source(digits: digits) }
        }
        #expect(try make(good.fitted).heldOut.count == 0)
    }

    @Test("unite to one read-out for 200 random ways to divide, order, repeat and unite them")
    func anyWay() throws {
        var noise = Noise(seed: 51)
        func pick(_ count: Int) -> Int { Int(noise.bits() % UInt64(count)) }
        let source = try source()
        let pool = try (0..<9).map { index in
            try record(
                source, adapter: "adapter \(index % 3)", label: "\(index)", data: UInt8(index),
                seed: UInt64(index + 1))
        }
        func router(_ set: [GramContribution]) throws -> [[UInt8]] {
            let united = try UnitedGramSums(adapters: set)
            return try ReadOut.Form.allCases.map {
                try united.readOut($0).readOut.encoded(names: united.names, "\($0)")
            }
        }
        let once = try router(pool)
        let without = try router(Array(pool.dropFirst()))
        #expect(once != without)
        for _ in 0..<200 {
            var branches = (0..<2 + pick(4)).map { _ in Set<Int>() }
            for index in pool.indices {
                for _ in 0...pick(2) { branches[pick(branches.count)].insert(index) }
            }
            for _ in 0..<pick(5) {
                let other = branches[pick(branches.count)]
                branches[pick(branches.count)].formUnion(other)
            }
            var order = branches.flatMap { Array($0) }
            for index in order.indices.dropFirst() { order.swapAt(index, pick(index + 1)) }
            // Records that came over several branches are there several times.
            #expect(try router(order.map { pool[$0] }) == once)
            #expect(try router(order.filter { $0 != 0 }.map { pool[$0] }) == without)
        }
        let again = try record(source, adapter: "adapter 0", label: "again", data: 0, seed: 1)
        #expect(try router(pool + [again]) == once)
    }

    @Test("over other trunks, layers, quantisers or experts are not united")
    func incompatible() throws {
        let first = try record(source(digits: [4, 6]))
        for other in try [
            source(digits: [4, 6], layer: 3), source(digits: [4, 6], trunk: 6),
            source(digits: [4, 6], scale: 4), source(digits: [6, 4]),
        ] {
            let error = #expect(throws: CambiumError.self) {
                try UnitedGramSums(selection: [first, record(other, data: 8)])
            }
            #expect(error?.code == .incompatible)
        }
        #expect(throws: CambiumError.self) { try UnitedGramSums(selection: []) }
    }
}

@Suite("λ by held-out evidence")
struct HeldOutTests {
    /// Few vectors of many features that say little about the class.
    private func part(_ count: Int, _ noise: inout Noise) throws -> GramSums {
        var part = GramSums(width: 12)
        var (x, labels) = ([Int16](), [UInt32]())
        for _ in 0..<count {
            let label = UInt32(noise.bits() % 3)
            labels.append(label)
            for feature in 0..<12 {
                let shift = feature < 2 ? Int(label) * 60 : 0
                x.append(Int16(shift + Int(noise.bits() % 201) - 100))
            }
        }
        try part.add(x.span, labels: labels)
        return part
    }

    @Test("is the one with the least squared error, computed vector by vector")
    func ridge() throws {
        var noise = Noise(seed: 61)
        let fitted = try part(30, &noise)
        var heldOut = GramSums(width: 12)
        let x = (0..<40 * 12).map { _ in Int16(noise.bits() % 201) - 100 }
        let labels = (0..<40).map { _ in UInt32(noise.bits() % 3) }
        try heldOut.add(x.span, labels: labels)
        var best: (error: Double, lambda: Double) = (.infinity, 0)
        for lambda in ReadOut.lambdas {
            let readOut = try ReadOut(.ridge, of: fitted, lambda: lambda)
            var error = 0.0
            for token in 0..<40 {
                for (index, id) in readOut.classes.enumerated() {
                    var score = Double(readOut.biases[index])
                    for feature in 0..<12 {
                        score +=
                            Double(readOut.weights[index * 12 + feature])
                            * Double(x[token * 12 + feature])
                    }
                    error += (score - (labels[token] == id ? 1 : 0)).magnitudeSquared
                }
            }
            if error < best.error { best = (error, lambda) }
        }
        #expect(try ReadOut.lambda(.ridge, fitted: fitted, heldOut: heldOut) == best.lambda)
        // Labels without meaning call for the greatest.
        #expect(best.lambda == 1)
    }

    @Test("is small where there is much evidence, and does not depend on threads or order")
    func much() throws {
        var noise = Noise(seed: 62)
        let (fitted, heldOut) = (try part(4_000, &noise), try part(1_000, &noise))
        for form in ReadOut.Form.allCases {
            let lambda = try ReadOut.lambda(form, fitted: fitted, heldOut: heldOut)
            #expect(lambda < 0.1)
            #expect(
                try ReadOut.lambda(
                    form, fitted: fitted, heldOut: heldOut, team: ThreadTeam(count: 3)) == lambda)
        }
    }

    @Test("is a fixed one without held-out vectors, or when the others cannot be solved")
    func without() throws {
        var noise = Noise(seed: 63)
        let some = try part(20, &noise)
        for form in ReadOut.Form.allCases {
            #expect(
                try ReadOut.lambda(form, fitted: some, heldOut: GramSums(width: 12))
                    == ReadOut.defaultLambda)
            var same = GramSums(width: 12)
            try same.add([Int16](repeating: 5, count: 24).span, labels: [0, 1])
            #expect(
                try ReadOut.lambda(form, fitted: same, heldOut: some) == ReadOut.defaultLambda)
        }
    }
}

extension Double {
    fileprivate var magnitudeSquared: Double { self * self }
}
