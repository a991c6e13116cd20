internal import CKernels

/// The heads of a layer by the gated delta rule: as many of values as share those of keys evenly.
package struct DeltaShape: Sendable, Hashable {
    package let keyHeads: Int
    package let valueHeads: Int
    package let keySize: Int
    package let valueSize: Int

    package init(keyHeads: Int, valueHeads: Int, keySize: Int, valueSize: Int) {
        precondition(
            keyHeads > 0 && keySize > 0 && valueSize > 0 && valueHeads > 0
                && valueHeads % keyHeads == 0,
            "\(valueHeads) heads of \(valueSize) over \(keyHeads) of \(keySize)")
        self.keyHeads = keyHeads
        self.valueHeads = valueHeads
        self.keySize = keySize
        self.valueSize = valueSize
    }

    package var keyWidth: Int { keyHeads * keySize }
    package var valueWidth: Int { valueHeads * valueSize }
    /// Elements of a text's state.
    package var stateCount: Int { valueHeads * keySize * valueSize }
}

extension Kernels {
    /// Runs adjacent tokens of one text through the gated delta rule, one after the other.
    ///
    /// - Parameters:
    ///   - queries: [tokens, keyHeads, keySize].
    ///   - keys: [tokens, keyHeads, keySize].
    ///   - values: [tokens, valueHeads, valueSize].
    ///   - decays: [tokens, valueHeads]: what is kept of the state.
    ///   - rates: [tokens, valueHeads]: how far it moves towards the value.
    ///   - state: [valueHeads, keySize, valueSize], moved on.
    ///   - out: [tokens, valueHeads, valueSize].
    ///   - team: Shares the heads.
    package static func deltaRule(
        _ shape: DeltaShape, queries: Span<Float>, keys: Span<Float>, values: Span<Float>,
        decays: Span<Float>, rates: Span<Float>, state: inout MutableSpan<Float>,
        into out: inout MutableSpan<Float>, team: ThreadTeam = .single
    ) {
        let tokens = decays.count / shape.valueHeads
        precondition(
            queries.count == tokens * shape.keyWidth && keys.count == queries.count
                && values.count == tokens * shape.valueWidth && out.count == values.count
                && decays.count == tokens * shape.valueHeads && rates.count == decays.count
                && state.count == shape.stateCount,
            "\(tokens) tokens of \(shape), \(queries.count) and \(values.count) elements")
        unsafe queries.withUnsafeBufferPointer { queries in
            unsafe keys.withUnsafeBufferPointer { keys in
                unsafe values.withUnsafeBufferPointer { values in
                    unsafe decays.withUnsafeBufferPointer { decays in
                        unsafe rates.withUnsafeBufferPointer { rates in
                            unsafe state.withUnsafeMutableBufferPointer { state in
                                unsafe out.withUnsafeMutableBufferPointer { out in
                                    guard let queries = queries.baseAddress,
                                        let keys = keys.baseAddress,
                                        let values = values.baseAddress,
                                        let decays = decays.baseAddress,
                                        let rates = rates.baseAddress,
                                        let state = state.baseAddress, let out = out.baseAddress
                                    else { return }
                                    let run = unsafe DeltaRun(
                                        shape: shape, tokens: tokens, queries: queries, keys: keys,
                                        values: values, decays: decays, rates: rates, state: state,
                                        out: out)
                                    // A head is one thread's work.
                                    team.forEach(shape.valueHeads) { unsafe run.head($0) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    /// out = SiLU of a causal convolution of each column of `rows`.
    ///
    /// - Parameters:
    ///   - rows: [taps - 1 + tokens, width], in order.
    ///   - weights: [taps, width], that of the latest row last.
    ///   - out: [tokens, width].
    package static func convolve(
        _ rows: Span<Float>, weights: Span<Float>, width: Int, into out: inout MutableSpan<Float>
    ) {
        let (taps, tokens) = (weights.count / width, out.count / width)
        precondition(
            taps > 0 && weights.count == taps * width && out.count == tokens * width
                && rows.count == (taps - 1 + tokens) * width,
            "\(rows.count) elements by \(weights.count) weights of \(width) columns")
        unsafe rows.withUnsafeBufferPointer { rows in
            unsafe weights.withUnsafeBufferPointer { weights in
                unsafe out.withUnsafeMutableBufferPointer { out in
                    guard let rows = rows.baseAddress, let weights = weights.baseAddress,
                        let out = out.baseAddress
                    else { return }
                    for token in 0..<tokens {
                        unsafe cambium_convolve(
                            rows + token * width, weights, taps, width, out + token * width)
                    }
                }
            }
        }
    }
}

/// One call's operands, for several threads: each head is written by one.
@unsafe private struct DeltaRun: @unchecked Sendable {
    let shape: DeltaShape
    let tokens: Int
    let queries, keys, values, decays, rates: UnsafePointer<Float>
    let state, out: UnsafeMutablePointer<Float>

    func head(_ head: Int) {
        let (heads, keySize, valueSize) = unsafe (
            shape.valueHeads, shape.keySize, shape.valueSize
        )
        let shared = unsafe head / (heads / shape.keyHeads)
        for token in unsafe 0..<tokens {
            let key = unsafe (token * shape.keyHeads + shared) * keySize
            let value = (token * heads + head) * valueSize
            unsafe cambium_delta_rule(
                state + head * keySize * valueSize, queries + key, keys + key, values + value,
                decays[token * heads + head], rates[token * heads + head], keySize, valueSize,
                out + value)
        }
    }
}
