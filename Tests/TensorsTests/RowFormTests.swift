import CKernels
import Elements
import NumericSupport
import Tensors
import Testing

@Suite("Rows that are added")
struct RowFormTests {
    static let forms = [8, 4, 2]

    private func decoded(_ bytes: [UInt8], _ form: RowForm) -> [Float] {
        var values = [Float](repeating: 0, count: form.width)
        do {
            var span = values.mutableSpan
            Kernels.addRow(bytes.raw, form, into: &span)
        }
        return values
    }

    @Test("know the parts of an expert, and no others")
    func parts() {
        for form in [
            RowForm.floats(width: 24), .floats(.bf16, width: 24), .floats(.f16, width: 24),
            .codes(8, width: 24), .codes(4, width: 24), .codes(2, width: 24),
        ].compactMap({ $0 }) {
            #expect(RowForm(form.parts, width: 24) == form)
            #expect(RowForm(form.parts, width: 16) != form)
            #expect(RowForm(form.parts + form.parts, width: 24) == nil)
        }
        #expect(RowForm.codes(2, width: 6) == nil && RowForm.codes(3, width: 24) == nil)
        #expect(
            RowForm([], width: 24) == nil && RowForm([TensorShape(.i32, [24])], width: 24) == nil)
        #expect(RowForm([TensorShape(.u8, [6]), TensorShape(.f16, [])], width: 24) == nil)
        #expect(RowForm.codes(2, width: 128)?.byteCount == 36)
    }

    @Test("of codes stand for code times scale, the first code lowest", arguments: forms)
    func codes(bits: Int) throws {
        let form = try #require(RowForm.codes(bits, width: 40))
        let most = 1 << (bits - 1)
        let codes = (0..<40).map { max(-most + 1, ($0 * 7) % (2 * most) - most) }
        var bytes = [UInt8](repeating: 0, count: form.byteCount)
        for (index, code) in codes.enumerated() {
            let shift = index * bits % 8
            bytes[index * bits / 8] |=
                UInt8(truncatingIfNeeded: (code & (1 << bits - 1)) << shift)
        }
        for byte in 0..<4 {
            bytes[5 * bits + byte] = UInt8(truncatingIfNeeded: Float(0.25).bitPattern >> (8 * byte))
        }
        #expect(decoded(bytes, form) == codes.map { Float($0) / 4 })
    }

    @Test("of 2 bits are the nearest in squares among all of three levels")
    func ternary() throws {
        let form = try #require(RowForm.codes(2, width: 8))
        var noise = Noise(seed: 3)
        for _ in 0..<20 {
            let row = noise.floats(8)
            let found = zip(row, decoded(form.quantised(row.span), form)).reduce(0) {
                $0 + Double($1.0 - $1.1) * Double($1.0 - $1.1)
            }
            // Every choice of codes, each with its best scale.
            var best = Double.infinity
            for choice in 0..<6561 {
                var (rest, products, squares) = (choice, 0.0, 0.0)
                for value in row {
                    let code = Double(rest % 3 - 1)
                    rest /= 3
                    products += code * Double(value)
                    squares += code * code
                }
                let all = row.reduce(0) { $0 + Double($1) * Double($1) }
                best = min(best, squares == 0 ? all : all - products * products / squares)
            }
            #expect(abs(found - best) <= 1e-6 * max(best, 1))
        }
    }

    @Test("come as near as their bits allow, and zeros stay zeros", arguments: forms)
    func error(bits: Int) throws {
        let form = try #require(RowForm.codes(bits, width: 64))
        var noise = Noise(seed: 5)
        let row = noise.floats(64)
        let largest = row.reduce(0) { max($0, abs($1)) }
        let step = bits == 2 ? largest : largest / Float(1 << (bits - 1) - 1)
        for (value, near) in zip(row, decoded(form.quantised(row.span), form)) {
            #expect(abs(value - near) <= step * 0.6)
        }
        let zeros = [Float](repeating: 0, count: 64)
        #expect(form.quantised(zeros.span).allSatisfy { $0 == 0 })
        var one = zeros
        one[17] = -3
        #expect(decoded(form.quantised(one.span), form) == one)
    }
}
