internal import CKernels
internal import Elements

extension Kernels {
    /// Gated experts: out[token] += Σ weight · expert(x[token]), added in ascending order of the experts.
    ///
    /// What a token gets depends on its own picks alone. Each weight is read once for some four tokens.
    ///
    /// - Parameters:
    ///   - form: What they are.
    ///   - experts: Where the expert of each pick of `groups` lies, its parts one after the other at any
    ///     alignment, readable for the call.
    ///   - groups: The picks.
    ///   - x: [tokens, width].
    ///   - out: [tokens, width].
    ///   - team: Shares first the elements between the two steps, then those of `out`.
    @unsafe package static func addGatedExperts(
        _ form: GatedExpertForm, _ experts: Span<UnsafeRawPointer>, _ groups: ExpertGroups,
        x: Span<Float>, into out: inout MutableSpan<Float>, team: ThreadTeam = .single
    ) {
        let width = form.width
        precondition(
            unsafe experts.count == groups.selection.count && out.count == x.count
                && groups.tokens.allSatisfy { $0 >= 0 && ($0 + 1) * width <= x.count },
            "\(groups.selection.count) picks, \(x.count) -> \(out.count) elements by \(width)")
        guard !groups.tokens.isEmpty else { return }
        var hidden = FloatBuffer(count: groups.tokens.count * form.intermediateSize)
        var hiddenSpan = hidden.mutableSpan(0..<hidden.count)
        unsafe hiddenSpan.withUnsafeMutableBufferPointer { hidden in
            unsafe x.withUnsafeBufferPointer { x in
                unsafe out.withUnsafeMutableBufferPointer { out in
                    unsafe experts.withUnsafeBufferPointer { experts in
                        guard let hidden = hidden.baseAddress, let x = x.baseAddress,
                            let out = out.baseAddress, let experts = experts.baseAddress
                        else { return }
                        let inputs = unsafe groups.tokens.map { unsafe Optional(x + $0 * width) }
                        let middles = unsafe groups.tokens.indices.map {
                            unsafe Optional(UnsafePointer(hidden + $0 * form.intermediateSize))
                        }
                        let batch = unsafe ExpertBatch(
                            form: form, experts: experts, groups: groups, inputs: inputs,
                            hidden: hidden, middles: middles, out: out)
                        unsafe batch.run(team)
                    }
                }
            }
        }
    }
}

extension Kernels {
    /// What a gated expert has between its two steps for some tokens, with the bits that ``addGatedExperts`` has.
    ///
    /// - Parameters:
    ///   - expert: Its parts one after the other.
    ///   - x: [tokens, width].
    /// - Returns: [tokens, intermediateSize].
    package static func gatedMiddles(
        _ form: GatedExpertForm, _ expert: [UInt8], x: Span<Float>, team: ThreadTeam = .single
    ) -> [Float] {
        let tokens = x.count / form.width
        precondition(
            x.count == tokens * form.width
                && expert.count == form.parts.reduce(0) { $0 + ($1.byteCount ?? 0) },
            "an expert of \(expert.count) bytes, \(x.count) elements by \(form.width)")
        guard tokens > 0 else { return [] }
        let groups = ExpertGroups(
            [UInt32](repeating: 0, count: tokens).span,
            weights: [Float](repeating: 0, count: tokens).span, perToken: 1)
        var middles = [Float](repeating: 0, count: tokens * form.intermediateSize)
        unsafe expert.withUnsafeBytes { expert in
            unsafe middles.withUnsafeMutableBufferPointer { hidden in
                unsafe x.withUnsafeBufferPointer { x in
                    guard let start = expert.baseAddress, let hidden = hidden.baseAddress,
                        let x = x.baseAddress
                    else { return }
                    let rows = unsafe [UnsafeRawPointer](repeating: start, count: tokens)
                    unsafe rows.withUnsafeBufferPointer { rows in
                        guard let rows = rows.baseAddress else { return }
                        // Nothing is added to an output, so any address does for it.
                        let batch = unsafe ExpertBatch(
                            form: form, experts: rows, groups: groups,
                            inputs: groups.tokens.map { unsafe Optional(x + $0 * form.width) },
                            hidden: hidden, middles: [], out: hidden)
                        unsafe batch.fillHidden(team)
                    }
                }
            }
        }
        return middles
    }
}

/// One call's operands, for several threads: they write different elements.
@unsafe private struct ExpertBatch: @unchecked Sendable {
    let form: GatedExpertForm
    /// Of each pick.
    let experts: UnsafePointer<UnsafeRawPointer>
    let groups: ExpertGroups
    /// The input of each pick.
    let inputs: [UnsafePointer<Float>?]
    /// [picks, inner].
    let hidden: UnsafeMutablePointer<Float>
    /// Its rows.
    let middles: [UnsafePointer<Float>?]
    /// [tokens, width].
    let out: UnsafeMutablePointer<Float>

    /// Shares of the work that are worth a thread.
    private func threads(_ team: ThreadTeam) -> Int {
        let work = unsafe groups.tokens.count * form.width * form.intermediateSize
        return work < 50_000 ? 1 : team.count
    }

    func run(_ team: ThreadTeam) {
        unsafe fillHidden(team)
        let threads = unsafe threads(team)
        let outputs = unsafe Blocks(form.width, threads == 1 ? 1 : 4 * threads)
        team.forEach(outputs.count) { unsafe addOutputs(outputs[$0]) }
    }

    /// The elements between the two steps, of all tokens.
    func fillHidden(_ team: ThreadTeam) {
        let threads = unsafe threads(team)
        // Some parts more than threads, so that one that is held up does not hold up the rest.
        let count = unsafe groups.experts.count
        let blocks = unsafe Blocks(form.intermediateSize, (4 * threads + count - 1) / count)
        team.forEach(threads == 1 ? 1 : count * blocks.count) { part in
            let all = threads == 1 ? 0..<count * blocks.count : part..<part + 1
            for task in all { unsafe fillHidden(task / blocks.count, blocks[task % blocks.count]) }
        }
    }

    /// Some elements between the two steps, of all tokens of a group.
    private func fillHidden(_ group: Int, _ range: Range<Int>) {
        let (first, count) = unsafe (groups.starts[group], groups.picks(of: group))
        let (width, intermediateSize) = unsafe (form.width, form.intermediateSize)
        let base = unsafe experts[first]
        let target = unsafe hidden + first * intermediateSize + range.lowerBound
        unsafe inputs.withUnsafeBufferPointer { inputs in
            guard let x = unsafe inputs.baseAddress.map({ unsafe $0 + first }) else { return }
            switch unsafe form.kind {
            case .rows:
                unsafe form.rows(0, of: base).products(
                    range.lowerBound, range.count, x, count, target, intermediateSize)
                unsafe withScratch(count * range.count) { up in
                    unsafe form.rows(1, of: base).products(
                        range.lowerBound, range.count, x, count, up, range.count)
                    let gate =
                        unsafe form.activation == .silu ? cambium_silu_gate : cambium_gelu_gate
                    for token in 0..<count {
                        unsafe gate(
                            target + token * intermediateSize, up + token * range.count, range.count
                        )
                    }
                }
            case .columns(let alpha, let limit):
                let pairs = 2 * range.count
                unsafe withScratch(count * pairs) { sums in
                    if unsafe form.coded.isEmpty {
                        let column = unsafe 2 * range.lowerBound * (form.type.bitWidth / 8)
                        unsafe cambium_row_sums(
                            base + column, form.type.rowType, width, 2 * intermediateSize, pairs, x,
                            count, sums, pairs)
                    } else {
                        unsafe form.rows(0, of: base).products(
                            2 * range.lowerBound, pairs, x, count, sums, pairs)
                    }
                    unsafe addBias(0, of: base, 2 * range.lowerBound, to: sums, pairs, count)
                    for token in 0..<count {
                        unsafe cambium_clamped_gate(
                            sums + token * pairs, range.count, alpha, limit,
                            target + token * intermediateSize)
                    }
                }
            }
        }
    }

    /// Some elements of every token's output.
    private func addOutputs(_ range: Range<Int>) {
        for group in unsafe groups.experts.indices {
            let (first, count) = unsafe (groups.starts[group], groups.picks(of: group))
            let (width, intermediateSize) = unsafe (form.width, form.intermediateSize)
            let base = unsafe experts[first]
            unsafe middles.withUnsafeBufferPointer { middles in
                guard let x = unsafe middles.baseAddress.map({ unsafe $0 + first }) else { return }
                unsafe withScratch(count * range.count) { results in
                    switch unsafe form.kind {
                    case .columns where unsafe form.coded.isEmpty:
                        let column = unsafe range.lowerBound * (form.type.bitWidth / 8)
                        unsafe cambium_row_sums(
                            base + form.offset(2) + column, form.type.rowType, intermediateSize,
                            width, range.count, x, count, results, range.count)
                        unsafe addBias(
                            1, of: base, range.lowerBound, to: results, range.count, count)
                    case .columns:
                        unsafe form.rows(1, of: base).products(
                            range.lowerBound, range.count, x, count, results, range.count)
                        unsafe addBias(
                            1, of: base, range.lowerBound, to: results, range.count, count)
                    case .rows:
                        unsafe form.rows(2, of: base).products(
                            range.lowerBound, range.count, x, count, results, range.count)
                    }
                    for pick in 0..<count {
                        unsafe cambium_axpy(
                            groups.weights[first + pick], results + pick * range.count,
                            out + groups.tokens[first + pick] * width + range.lowerBound,
                            range.count)
                    }
                }
            }
        }
    }

    /// Adds some elements of the bias behind a matrix to each of `count` rows.
    private func addBias(
        _ matrix: Int, of expert: UnsafeRawPointer, _ first: Int,
        to rows: UnsafeMutablePointer<Float>, _ width: Int, _ count: Int
    ) {
        guard let part = unsafe form.bias(of: matrix) else { return }
        let type = unsafe form.type
        let bias = unsafe expert + form.offset(part) + first * (type.bitWidth / 8)
        unsafe withScratch(width) { values in
            unsafe cambium_to_float(bias, width, type.rowType, values)
            for row in 0..<count { unsafe cambium_axpy(1, values, rows + row * width, width) }
        }
    }
}

extension ExpertGroups {
    /// How many tokens picked an expert.
    fileprivate func picks(of group: Int) -> Int { starts[group + 1] - starts[group] }
}

/// A row of elements in parts of about the same size, each but the last a multiple of 16.
private struct Blocks: Sendable {
    private let elements: Int
    let count: Int

    init(_ elements: Int, _ wanted: Int) {
        self.elements = elements
        count = max(1, min(wanted, (elements + 15) / 16))
    }

    subscript(index: Int) -> Range<Int> {
        let groups = (elements + 15) / 16
        return 16 * (groups * index / count)..<min(elements, 16 * (groups * (index + 1) / count))
    }
}

/// Calls `body` with zeros.
@unsafe private func withScratch(_ count: Int, _ body: (UnsafeMutablePointer<Float>) -> Void) {
    unsafe withUnsafeTemporaryAllocation(of: Float.self, capacity: max(count, 1)) { buffer in
        unsafe buffer.initialize(repeating: 0)
        guard let start = buffer.baseAddress else { return }
        unsafe body(start)
    }
}
