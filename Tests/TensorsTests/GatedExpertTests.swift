import Elements
import Glibc
import NumericSupport
import Tensors
import Testing

@Suite("gated experts")
struct GatedExpertTests {
    static let kinds: [GatedExpertForm.Kind] = [.rows, .columns(alpha: 1.7, limit: 1.2)]
    private static let expertCount = 5
    private static let perToken = 3

    /// Every expert's stored values, and their bytes.
    private func pool(_ form: GatedExpertForm) -> (values: [[Float]], bytes: [MappedBytes]) {
        var noise = Noise(seed: 71)
        let size = form.parts.reduce(0) { $0 + $1.dimensions.reduce(1, *) }
        let all = (0..<Self.expertCount).map { _ in stored(noise.floats(size), form.type) }
        return (all.map(\.values), all.map { MappedBytes(copying: $0.bytes) })
    }

    private func add(
        _ form: GatedExpertForm, _ bytes: [MappedBytes], _ selection: [UInt32], _ weights: [Float],
        _ x: [Float], threads: Int
    ) -> [Float] {
        let groups = ExpertGroups(selection.span, weights: weights.span, perToken: Self.perToken)
        let addresses = unsafe groups.selection.map { unsafe bytes[Int($0)].start }
        var out = [Float](repeating: 0.5, count: x.count)
        do {
            var span = out.mutableSpan
            unsafe Kernels.addGatedExperts(
                form, addresses.span, groups, x: x.span, into: &span,
                team: ThreadTeam(count: threads))
        }
        return out
    }

    @Test(
        "a token gets weight * expert(x) of its picks, with the same bits alone and on any threads",
        arguments: kinds, RowMatrixTests.types)
    func outputs(kind: GatedExpertForm.Kind, type: ElementType) {
        for (width, inner) in [(3, 5), (40, 24), (80, 150)] {
            let form = GatedExpertForm(
                kind: kind, width: width, intermediateSize: inner, type: type)
            let (values, bytes) = pool(form)
            var noise = Noise(seed: 72)
            let tokens = 7
            let x = noise.floats(tokens * width)
            let weights = noise.floats(tokens * Self.perToken)
            let selection = (0..<tokens).flatMap { token in
                (0..<Self.perToken).map { UInt32((token * 2 + $0 * 3) % Self.expertCount) }
            }
            let all = add(form, bytes, selection, weights, x, threads: 1)
            #expect(add(form, bytes, selection, weights, x, threads: 3) == all)
            for token in 0..<tokens {
                let row = token * width..<(token + 1) * width
                let own = token * Self.perToken..<(token + 1) * Self.perToken
                let alone = add(
                    form, bytes, Array(selection[own]), Array(weights[own]), Array(x[row]),
                    threads: 2)
                #expect(alone == Array(all[row]))
                var exact = [Double](repeating: 0.5, count: width)
                for pick in own {
                    let output = plain(form, values[Int(selection[pick])], Array(x[row]))
                    for index in exact.indices {
                        exact[index] += Double(weights[pick]) * output[index]
                    }
                }
                for (found, wanted) in zip(alone, exact) {
                    #expect(abs(Double(found) - wanted) < 1e-3 * max(1, abs(wanted)))
                }
            }
        }
    }

    /// One expert's output, in double.
    private func plain(_ form: GatedExpertForm, _ w: [Float], _ x: [Float]) -> [Double] {
        let (width, inner) = (form.width, form.intermediateSize)
        func sum(_ count: Int, _ term: (Int) -> Double) -> Double {
            (0..<count).reduce(0) { $0 + term($1) }
        }
        switch form.kind {
        case .rows:
            let hidden = (0..<inner).map { row in
                let gate = sum(width) { Double(w[row * width + $0]) * Double(x[$0]) }
                let up = sum(width) { Double(w[(inner + row) * width + $0]) * Double(x[$0]) }
                return gate / (1 + exp(-gate)) * up
            }
            return (0..<width).map { row in
                sum(inner) { Double(w[2 * inner * width + row * inner + $0]) * hidden[$0] }
            }
        case .columns(let alpha, let limit):
            let bias = 2 * inner * width
            let down = bias + 2 * inner
            let hidden = (0..<inner).map { index in
                let both = [2 * index, 2 * index + 1].map { column in
                    Double(w[bias + column])
                        + sum(width) { Double(w[$0 * 2 * inner + column]) * Double(x[$0]) }
                }
                let gate = min(both[0], Double(limit))
                let up = min(max(both[1], -Double(limit)), Double(limit))
                return (up + 1) * gate / (1 + exp(-Double(alpha) * gate))
            }
            return (0..<width).map { column in
                Double(w[down + inner * width + column])
                    + sum(inner) { Double(w[down + $0 * width + column]) * hidden[$0] }
            }
        }
    }

    @Test("groups hold each expert's picks in order")
    func groups() {
        let selection: [UInt32] = [4, 1, 1, 0, 4, 2]
        let weights: [Float] = [1, 2, 3, 4, 5, 6]
        let groups = ExpertGroups(selection.span, weights: weights.span, perToken: 2)
        #expect(groups.experts == [0, 1, 2, 4])
        #expect(groups.starts == [0, 1, 3, 4, 6])
        #expect(groups.selection == [0, 1, 1, 2, 4, 4])
        #expect(groups.tokens == [1, 0, 1, 2, 0, 2])
        #expect(groups.weights == [4, 2, 3, 6, 1, 5])
        let none = ExpertGroups([UInt32]().span, weights: [Float]().span, perToken: 2)
        #expect(none.experts.isEmpty && none.starts == [0])
    }
}
