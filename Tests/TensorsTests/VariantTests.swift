import CKernels
import NumericSupport
import Testing

/// What this CPU can run must give the bits of the scalar reference.
@Suite("kernel variants")
struct VariantTests {
    /// Calls `body` with every table that this CPU can run, the scalar one last.
    private func forEachVariant(_ body: (cambium_variant, String) throws -> Void) rethrows {
        var index = 0
        while let variant = unsafe cambium_variant_at(index) {
            try unsafe body(variant.pointee, String(cString: variant.pointee.name))
            index += 1
        }
    }

    /// Compares the bits that `make` computes with each table.
    private func expectEqual(_ make: (cambium_variant) -> [UInt32]) {
        var results: [(name: String, bits: [UInt32])] = []
        unsafe forEachVariant { table, name in unsafe results.append((name, make(table))) }
        for result in results { #expect(result.bits == results.last?.bits, "\(result.name)") }
    }

    @Test("the tables are in order, and the last is the reference")
    func tables() {
        var names: [String] = []
        unsafe forEachVariant { _, name in names.append(name) }
        #expect(names.last == "scalar")
        #expect(names == ["avx512", "avx2", "scalar"].filter(names.contains))
    }

    @Test("sums and activations have the same bits", arguments: kernelSizes)
    func vectors(count: Int) {
        unsafe expectEqual { table in
            var noise = Noise(seed: 11)
            let x = noise.floats(count)
            let rows = noise.floats(2 * count)
            var results: [Float] = [unsafe table.dot(x, rows, count)]
            var y = rows
            unsafe table.axpy(0.3, x, &y, count)
            results += y
            y = rows
            unsafe table.silu_gate(&y, x, count)
            results += y
            y = rows.map { $0 * 5 }
            unsafe table.gelu_gate(&y, x, count)
            results += y
            y = x.map { $0 * 7 }
            unsafe table.gelu(&y, count)
            results += y
            y = x.map { $0 * 40 }
            unsafe table.softmax(&y, count)
            results += y
            unsafe table.log_softmax(x, count, &y)
            results += y
            y = x.map { $0 * 7 }
            unsafe table.sigmoid(&y, count)
            results += y
            unsafe table.clamped_gate(rows, count, 1.7, 1.1, &y)
            results += y
            y = [0, 0]
            unsafe table.row_dots(rows, x, 2, count, &y)
            results += y
            var state = noise.floats(3 * count)
            y = x
            unsafe table.delta_rule(
                &state, [0.3, -0.5, 0.7], [0.5, 0.2, -0.8], x, 0.9, 0.6, 3, count, &y)
            results += state + y
            unsafe table.convolve(rows, state, 2, count, &y)
            results += y
            if count > 0 {
                y = x
                unsafe table.rms_norm(x, rows, 1, count, 1e-5, &y)
                results += y
            }
            return results.map(\.bitPattern)
        }
    }

    @Test("functions have the same bits at extreme values")
    func extremes() {
        let values: [Float] = [
            0, -0.0, .nan, .infinity, -.infinity, .leastNonzeroMagnitude, -.leastNonzeroMagnitude,
            88, 88.1, -87.3, -87.4, 10, -10,
            14.2, -14.2, 1e30, -1e30, 0.5,
        ]
        unsafe expectEqual { table in
            var results: [Float] = []
            for value in values {
                var y = [Float](repeating: value, count: 17)
                unsafe table.gelu(&y, 17)
                results += y
                y = [Float](repeating: value, count: 17)
                unsafe table.silu_gate(&y, y, 17)
                results += y
                unsafe table.log_softmax([value, 1], 2, &y)
                results += y
                y = [value, 1]
                unsafe table.sigmoid(&y, 2)
                results += y
                unsafe table.clamped_gate([value, 1, 1, value], 2, 1.7, 7, &y)
                results += y
            }
            // Which NaN it is may differ.
            return results.map { $0.isNaN ? 1 : $0.bitPattern }
        }
    }

    @Test("rows that are added have the same bits", arguments: [0, 4, 12, 16, 20, 48, 68])
    func rows(width: Int) {
        for form in [
            CAMBIUM_ROW_F32, CAMBIUM_ROW_BF16, CAMBIUM_ROW_F16, CAMBIUM_ROW_8, CAMBIUM_ROW_4,
            CAMBIUM_ROW_2,
        ] {
            unsafe expectEqual { table in
                var noise = Noise(seed: 19)
                // At an odd address; any bytes do but for NaN and infinity.
                let bytes = (0..<4 * width + 5).map { _ in
                    UInt8(truncatingIfNeeded: noise.bits()) & 0x3f
                }
                var out = noise.floats(width)
                unsafe bytes.withUnsafeBytes { bytes in
                    unsafe table.add_row(bytes.baseAddress.map { unsafe $0 + 1 }, form, width, &out)
                }
                return out.map(\.bitPattern)
            }
        }
    }

    @Test("neurons have the same bits", arguments: [1, 5, 16, 33, 64], [1, 3, 4, 16, 21])
    func neurons(width: Int, count: Int) {
        for type in [CAMBIUM_EXPERT_F32, CAMBIUM_EXPERT_BF16, CAMBIUM_EXPERT_I8] {
            unsafe expectEqual { table in
                var noise = Noise(seed: 13)
                // Any bytes do for BF16 and I8, but for NaN and infinity.
                let size = 8 * width + 8
                let pool = (0..<count * size).map { _ in
                    UInt8(truncatingIfNeeded: noise.bits()) & 0x3f
                }
                let (x, gates) = (noise.floats(width), noise.floats(count))
                var out = noise.floats(width)
                var parts = out
                unsafe pool.withUnsafeBytes { pool in
                    let rows = unsafe (0..<count).map {
                        unsafe pool.baseAddress.map { [start = $0 * size] in unsafe $0 + start }
                    }
                    unsafe table.neurons(x, rows, gates, count, width, type, &out)
                    // The same in two steps, the second in two halves.
                    var values = [Float](repeating: 0, count: count)
                    unsafe table.neuron_values(x, rows, gates, count, width, type, &values)
                    let half = width / 32 * 16
                    unsafe table.neuron_sums(
                        values, rows, count, width, type, 0, half, &parts)
                    unsafe table.neuron_sums(
                        values, rows, count, width, type, half, width, &parts)
                }
                #expect(parts.map(\.bitPattern) == out.map(\.bitPattern))
                return out.map(\.bitPattern)
            }
        }
    }

    @Test(
        "attention has the same bits, in a batch and token by token",
        arguments: [2, 8, 16, 18, 32, 48], [0, 1, 2, 7, 30])
    func attention(headSize: Int, window: Int) {
        var noise = Noise(seed: 12)
        let (heads, kvHeads, valueSize, tokens, first, capacity) = (4, 2, 20, 6, 14, 32)
        let queries = noise.floats(tokens * heads * headSize)
        let keys = noise.floats(capacity * kvHeads * headSize)
        let values = noise.floats(capacity * kvHeads * valueSize)
        let sinks = noise.floats(heads)
        unsafe expectEqual { table in
            var scratch = [Float](repeating: 0, count: 4 * capacity)
            var out = [Float](repeating: 0, count: tokens * heads * valueSize)
            var alone = out
            unsafe sinks.withUnsafeBufferPointer { sinks in
                var shape = unsafe cambium_attention_shape(
                    heads: heads, key_heads: kvHeads, key_size: headSize, value_size: valueSize,
                    capacity: capacity, window: window, scale: 0.3,
                    sinks: window == 7 ? sinks.baseAddress : nil)
                unsafe table.attention(
                    &shape, queries, keys, values, tokens, first, 0, heads, &scratch, &out)
                for token in 0..<tokens {
                    let query = Array(queries[(token * heads * headSize)...])
                    var one = [Float](repeating: 0, count: heads * valueSize)
                    unsafe table.attention(
                        &shape, query, keys, values, 1, first + token, 0, heads, &scratch, &one)
                    alone.replaceSubrange(
                        token * one.count..<(token + 1) * one.count, with: one)
                }
            }
            #expect(alone.map(\.bitPattern) == out.map(\.bitPattern))
            return out.map(\.bitPattern)
        }
    }

    @Test(
        "products with stored rows have the same bits",
        arguments: [
            (1, 1, 1), (3, 5, 17), (7, 16, 33), (13, 64, 70), (4, 31, 130), (9, 30, 6),
            (39, 1034, 9),
        ])
    func storedRows(tokens: Int, columns: Int, rows: Int) {
        for type in [CAMBIUM_F32, CAMBIUM_BF16, CAMBIUM_F16] {
            unsafe expectEqual { table in
                var noise = Noise(seed: 15)
                // Any bytes do, but for NaN and infinity.
                var bytes = (0..<4 * rows * columns).map { UInt8($0 * 37 % 251) }
                for index in bytes.indices where index % 2 == 1 { bytes[index] &= 0xBB }
                let x = noise.floats(tokens * max(columns, rows))
                var out = [Float](repeating: 0.5, count: tokens * rows)
                var sums = [Float](repeating: 0.5, count: tokens * columns)
                unsafe x.withUnsafeBufferPointer { x in
                    guard let base = x.baseAddress else { return }
                    let wide = unsafe (0..<tokens).map { unsafe Optional(base + $0 * columns) }
                    let tall = unsafe (0..<tokens).map { unsafe Optional(base + $0 * rows) }
                    unsafe table.row_products(
                        bytes, type, rows, columns, wide, tokens, &out, rows)
                    unsafe table.row_sums(
                        bytes, type, rows, columns, columns, tall, tokens, &sums, columns)
                }
                return (out + sums).map(\.bitPattern)
            }
        }
    }

    @Test("halves become floats exactly, all 65,536 of them")
    func halves() {
        let all = (0...UInt16.max).map { $0 }
        let bytes = all.flatMap { [UInt8($0 & 255), UInt8($0 >> 8)] }
        unsafe forEachVariant { table, name in
            // Each number in a row of its own times 1.
            var out = [Float](repeating: 0, count: all.count)
            let one: [Float] = [1]
            unsafe one.withUnsafeBufferPointer { one in
                let x = unsafe [one.baseAddress]
                unsafe table.row_products(bytes, CAMBIUM_F16, all.count, 1, x, 1, &out, all.count)
            }
            for (bits, value) in zip(all, out) {
                let exact = Float(Float16(bitPattern: bits))
                #expect(value == exact || value.isNaN && exact.isNaN, "\(name) \(bits)")
            }
        }
    }

    @Test(
        "products have the same bits, alone and in a batch",
        arguments: [(1, 1, 1), (3, 5, 17), (7, 16, 33), (13, 64, 70), (1, 31, 130)])
    func products(tokens: Int, columns: Int, rows: Int) {
        var noise = Noise(seed: 14)
        let (x, w) = (noise.floats(tokens * columns), noise.floats(rows * columns))
        let panels = (rows + 15) / 16
        var packed = [Float](repeating: 0, count: panels * columns * 16)
        unsafe cambium_pack_panels(w, rows, columns, &packed)
        var expected: [UInt32] = []
        for token in 0..<tokens {
            for row in 0..<rows {
                var sum: Float = 0
                for k in 0..<columns {
                    sum = x[token * columns + k].multiplied(w[row * columns + k], plus: sum)
                }
                expected.append(sum.bitPattern)
            }
        }
        unsafe forEachVariant { table, name in
            var out = [Float](repeating: 9, count: tokens * rows)
            unsafe table.panel_products(
                packed, rows, columns, 0, panels, x, columns, tokens, &out, rows)
            #expect(out.map(\.bitPattern) == expected, "\(name)")
            out = [Float](repeating: 9, count: rows)
            for token in 0..<tokens {
                let row = Array(x[token * columns..<(token + 1) * columns])
                unsafe table.panel_products(
                    packed, rows, columns, 0, panels, row, columns, 1, &out, rows)
                #expect(out.map(\.bitPattern) == Array(expected[token * rows..<(token + 1) * rows]))
            }
        }
    }

    @Test("quantised products have the bits of plain integers", arguments: [1, 4, 7], [1, 6, 33])
    func quantised(tokens: Int, columns: Int) {
        var noise = Noise(seed: 15)
        let (rows, pairs) = (37, (columns + 1) / 2)
        func integer() -> Int8 { Int8(Int(truncatingIfNeeded: noise.bits() % 255) - 127) }
        let w = (0..<rows * columns).map { _ in integer() }
        let x = (0..<tokens * columns).map { _ in integer() }
        let (rowScales, xScales) = (noise.floats(48), noise.floats(tokens))
        var packed = [Int8](repeating: 0, count: 3 * 32 * pairs)
        unsafe cambium_pack_quantized(w, rows, columns, &packed)
        var wide = [Int16](repeating: 0, count: tokens * 2 * pairs)
        var expected: [UInt32] = []
        for token in 0..<tokens {
            for k in 0..<columns { wide[token * 2 * pairs + k] = Int16(x[token * columns + k]) }
            for row in 0..<rows {
                let sum = (0..<columns).reduce(0) {
                    $0 + Int(x[token * columns + $1]) * Int(w[row * columns + $1])
                }
                expected.append((Float(sum) * rowScales[row] * xScales[token]).bitPattern)
            }
        }
        unsafe forEachVariant { table, name in
            var out = [Float](repeating: 9, count: tokens * rows)
            unsafe table.quantized_products(
                packed, rowScales, rows, pairs, 0, 3, wide, xScales, tokens, &out, rows)
            #expect(out.map(\.bitPattern) == expected, "\(name)")
        }
    }

    @Test("selections pick the same", arguments: [(20, 3), (128, 16), (300, 17), (1024, 16)])
    func selections(count: Int, k: Int) {
        for levels in [2, 5, 1e6] as [Float] {
            unsafe expectEqual { table in
                var noise = Noise(seed: 16)
                // Few levels make many ties.
                let a = noise.floats(count).map { ($0 * levels).rounded() }
                let b = noise.floats(count + 5).map { ($0 * levels).rounded() }
                var ids = [UInt32](repeating: 0, count: k)
                var scores = [Float](repeating: 0, count: k)
                let margin = unsafe table.top(a, count, k, &ids, &scores)
                var results = ids + scores.map(\.bitPattern) + [margin.bitPattern]
                let pairs = unsafe table.product_key_top(
                    a, count, b, count + 5, k, &ids, &scores)
                results += ids + scores.map(\.bitPattern) + [pairs.bitPattern]
                return results
            }
        }
    }
}

extension Float {
    /// self * factor + summand, rounded once.
    fileprivate func multiplied(_ factor: Float, plus summand: Float) -> Float {
        summand.addingProduct(self, factor)
    }
}
