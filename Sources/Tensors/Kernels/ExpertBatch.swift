internal import CKernels
internal import Elements

/// The operands of one call of gated experts, for several threads: they write different elements.
///
/// Numbers and addresses alone, since threads that count references to the same objects wait for each other.
@unsafe struct ExpertBatch: @unchecked Sendable {
    private let kind: GatedExpertKind
    private let activation: GateActivation
    private let width: Int
    private let intermediateSize: Int
    private let type: ElementType
    private let isCoded: Bool
    /// Bytes of an expert in front of its second matrix of columns, and of each matrix's bias; nil without.
    private let downOffset: Int
    private let biasOffsets: (Int?, Int?)
    private let groupCount: Int
    private let pickCount: Int
    /// Of each group its first pick, and the number of all picks.
    private let starts: UnsafePointer<Int>
    /// Of each pick.
    private let tokens: UnsafePointer<Int>
    private let weights: UnsafePointer<Float>
    private let experts: UnsafePointer<UnsafeRawPointer>
    /// [groups, matrices of an expert]; nil for floats by columns.
    private let matrices: UnsafePointer<StoredRows>?
    private let matrixCount: Int
    /// The input of each pick.
    private let inputs: UnsafePointer<UnsafePointer<Float>?>
    /// [picks, inner].
    private let hidden: UnsafeMutablePointer<Float>
    /// Its rows.
    private let middles: UnsafePointer<UnsafePointer<Float>?>
    /// [tokens, width].
    private let out: UnsafeMutablePointer<Float>

    /// Calls `body` with the operands of a call.
    ///
    /// - Parameters:
    ///   - experts: Of each pick.
    ///   - x: [tokens, width].
    ///   - hidden: [picks, inner].
    ///   - out: [tokens, width].
    static func with(
        _ form: GatedExpertForm, _ experts: UnsafePointer<UnsafeRawPointer>, _ groups: ExpertGroups,
        _ x: UnsafePointer<Float>, _ hidden: UnsafeMutablePointer<Float>,
        _ out: UnsafeMutablePointer<Float>, _ body: (ExpertBatch) -> Void
    ) {
        let matrixCount = form.kind == .rows ? 3 : 2
        let inputs = unsafe groups.tokens.map { unsafe Optional(x + $0 * form.width) }
        let middles = unsafe groups.tokens.indices.map {
            unsafe Optional(UnsafePointer(hidden + $0 * form.intermediateSize))
        }
        // Of floats by columns there are no rows.
        let hasRows = form.kind == .rows || !form.coded.isEmpty
        let matrices = unsafe (hasRows ? groups.experts.indices : 0..<0).flatMap { group in
            unsafe (0..<matrixCount).map {
                unsafe form.rows($0, of: experts[groups.starts[group]])
            }
        }
        unsafe groups.starts.withUnsafeBufferPointer { starts in
            unsafe groups.tokens.withUnsafeBufferPointer { tokens in
                unsafe groups.weights.withUnsafeBufferPointer { weights in
                    unsafe inputs.withUnsafeBufferPointer { inputs in
                        unsafe middles.withUnsafeBufferPointer { middles in
                            unsafe matrices.withUnsafeBufferPointer { matrices in
                                guard let starts = starts.baseAddress,
                                    let tokens = tokens.baseAddress,
                                    let weights = weights.baseAddress,
                                    let inputs = inputs.baseAddress,
                                    let middles = middles.baseAddress
                                else { return }
                                unsafe body(
                                    ExpertBatch(
                                        kind: form.kind, activation: form.activation,
                                        width: form.width, intermediateSize: form.intermediateSize,
                                        type: form.type, isCoded: !form.coded.isEmpty,
                                        downOffset: form.parts.count > 2 ? form.offset(2) : 0,
                                        biasOffsets: (
                                            form.bias(of: 0).map(form.offset),
                                            form.bias(of: 1).map(form.offset)
                                        ),
                                        groupCount: groups.experts.count,
                                        pickCount: groups.tokens.count, starts: starts,
                                        tokens: tokens, weights: weights, experts: experts,
                                        matrices: matrices.baseAddress, matrixCount: matrixCount,
                                        inputs: inputs, hidden: hidden, middles: middles, out: out))
                            }
                        }
                    }
                }
            }
        }
    }

    /// Shares of the work that are worth a thread.
    private func threads(_ team: ThreadTeam) -> Int {
        let work = unsafe pickCount * width * intermediateSize
        return work < 50_000 ? 1 : team.count
    }

    func run(_ team: ThreadTeam) {
        unsafe fillHidden(team)
        let threads = unsafe threads(team)
        let outputs = unsafe Blocks(width, threads == 1 ? 1 : 4 * threads)
        team.forEach(outputs.count) { unsafe addOutputs(outputs[$0]) }
    }

    /// The elements between the two steps, of all tokens.
    func fillHidden(_ team: ThreadTeam) {
        let threads = unsafe threads(team)
        // Some parts more than threads, so that one that is held up does not hold up the rest.
        let count = unsafe groupCount
        let blocks = unsafe Blocks(intermediateSize, (4 * threads + count - 1) / count)
        team.forEach(threads == 1 ? 1 : count * blocks.count) { part in
            let all = threads == 1 ? 0..<count * blocks.count : part..<part + 1
            for task in all { unsafe fillHidden(task / blocks.count, blocks[task % blocks.count]) }
        }
    }

    private func matrix(_ number: Int, _ group: Int) -> StoredRows {
        guard let matrices = unsafe matrices else { preconditionFailure("there are no rows") }
        return unsafe matrices[group * matrixCount + number]
    }

    /// Some elements between the two steps, of all tokens of a group.
    private func fillHidden(_ group: Int, _ range: Range<Int>) {
        let first = unsafe starts[group]
        let count = unsafe starts[group + 1] - first
        let base = unsafe experts[first]
        let target = unsafe hidden + first * intermediateSize + range.lowerBound
        let x = unsafe inputs + first
        switch unsafe kind {
        case .rows:
            unsafe matrix(0, group).products(
                range.lowerBound, range.count, x, count, target, intermediateSize)
            unsafe withScratch(count * range.count) { up in
                unsafe matrix(1, group).products(
                    range.lowerBound, range.count, x, count, up, range.count)
                let gate =
                    unsafe activation == .silu ? cambium_silu_gate : cambium_gelu_gate
                for token in 0..<count {
                    unsafe gate(
                        target + token * intermediateSize, up + token * range.count, range.count
                    )
                }
            }
        case .columns(let alpha, let limit):
            let pairs = 2 * range.count
            unsafe withScratch(count * pairs) { sums in
                if unsafe !isCoded {
                    let column = unsafe 2 * range.lowerBound * (type.bitWidth / 8)
                    unsafe cambium_row_sums(
                        base + column, type.rowType, width, 2 * intermediateSize, pairs, x,
                        count, sums, pairs)
                } else {
                    unsafe matrix(0, group).products(
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

    /// Some elements of every token's output.
    private func addOutputs(_ range: Range<Int>) {
        for group in unsafe 0..<groupCount {
            let first = unsafe starts[group]
            let count = unsafe starts[group + 1] - first
            let base = unsafe experts[first]
            let x = unsafe middles + first
            unsafe withScratch(count * range.count) { results in
                switch unsafe kind {
                case .columns where unsafe !isCoded:
                    let column = unsafe range.lowerBound * (type.bitWidth / 8)
                    unsafe cambium_row_sums(
                        base + downOffset + column, type.rowType, intermediateSize,
                        width, range.count, x, count, results, range.count)
                    unsafe addBias(
                        1, of: base, range.lowerBound, to: results, range.count, count)
                case .columns:
                    unsafe matrix(1, group).products(
                        range.lowerBound, range.count, x, count, results, range.count)
                    unsafe addBias(
                        1, of: base, range.lowerBound, to: results, range.count, count)
                case .rows:
                    unsafe matrix(2, group).products(
                        range.lowerBound, range.count, x, count, results, range.count)
                }
                for pick in 0..<count {
                    unsafe cambium_axpy(
                        weights[first + pick], results + pick * range.count,
                        out + tokens[first + pick] * width + range.lowerBound,
                        range.count)
                }
            }
        }
    }

    /// Adds some elements of the bias behind a matrix to each of `count` rows.
    private func addBias(
        _ matrix: Int, of expert: UnsafeRawPointer, _ first: Int,
        to rows: UnsafeMutablePointer<Float>, _ width: Int, _ count: Int
    ) {
        guard let offset = unsafe matrix == 0 ? biasOffsets.0 : biasOffsets.1 else { return }
        let type = unsafe type
        let bias = unsafe expert + offset + first * (type.bitWidth / 8)
        unsafe withScratch(width) { values in
            unsafe cambium_to_float(bias, width, type.rowType, values)
            for row in 0..<count { unsafe cambium_axpy(1, values, rows + row * width, width) }
        }
    }
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
