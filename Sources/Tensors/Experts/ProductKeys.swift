internal import CKernels

/// The two sets of sub-keys of a product-key router, and the search for the best pairs.
///
/// Scores are computed a few tokens at a time, so that they stay in the cache until the best are
/// picked.
package struct ProductKeys: Sendable {
    /// Tokens whose scores one thread holds.
    private static let block = 48

    /// [n, keySize / 2]: one for all heads, or one for each.
    private let first: [any Projection]
    /// [m, keySize / 2].
    private let second: [any Projection]

    /// n: values of an expert's high digit.
    package var firstCount: Int { first[0].rows }
    /// m: values of the low digit.
    package var secondCount: Int { second[0].rows }
    /// Elements of each half of a query.
    package var half: Int { first[0].columns }
    /// How many heads have sub-keys of their own; 1 when all share theirs.
    package var sets: Int { first.count }

    /// - Parameters:
    ///   - first: One for all heads, or one for each, all alike in size.
    ///   - second: As many as `first`, of the same columns.
    package init(first: [any Projection], second: [any Projection]) {
        precondition(
            !first.isEmpty && first.count == second.count
                && first.allSatisfy { $0.rows == first[0].rows && $0.columns == first[0].columns }
                && second.allSatisfy {
                    $0.rows == second[0].rows && $0.columns == first[0].columns
                }, "\(first.count) and \(second.count) sets of sub-keys that do not fit")
        self.first = first
        self.second = second
    }

    /// Of each head of each token the best pairs.
    ///
    /// - Parameters:
    ///   - queries: [tokens, heads, 2, `half`].
    ///   - ids: [tokens, heads, k], receives high * `secondCount` + low, best first, equal scores in
    ///     ascending id.
    ///   - scores: [tokens, heads, k], receives the sums.
    ///   - margins: [tokens, heads], receives the last pick's score minus the best not picked.
    package func select(
        _ queries: Span<Float>, tokens: Int, heads: Int, ids: inout MutableSpan<UInt32>,
        scores: inout MutableSpan<Float>, margins: inout MutableSpan<Float>, team: ThreadTeam
    ) {
        let (n, m, half) = (firstCount, secondCount, half)
        let groups = tokens * heads
        guard groups > 0 else { return }
        let k = ids.count / groups
        precondition(
            queries.count == groups * 2 * half && ids.count == groups * k
                && scores.count == ids.count && margins.count == groups
                && (sets == 1 || sets == heads),
            "\(queries.count) query elements, \(ids.count) picks, \(sets) sets, \(heads) heads")
        precondition(k > 0 && k <= n * m && k <= Kernels.largestTopK, "top \(k) of \(n) x \(m)")
        unsafe queries.withUnsafeBufferPointer { queries in
            unsafe ids.withUnsafeMutableBufferPointer { ids in
                unsafe scores.withUnsafeMutableBufferPointer { scores in
                    unsafe margins.withUnsafeMutableBufferPointer { margins in
                        guard let one = queries.baseAddress, let two = ids.baseAddress,
                            let three = scores.baseAddress, let four = margins.baseAddress
                        else { return }
                        nonisolated(unsafe) let queries = unsafe one
                        nonisolated(unsafe) let ids = unsafe two
                        nonisolated(unsafe) let scores = unsafe three
                        nonisolated(unsafe) let margins = unsafe four
                        let blocks = (tokens + Self.block - 1) / Self.block
                        team.forEach(blocks * heads) { part in
                            let (block, head) = part.quotientAndRemainder(dividingBy: heads)
                            let start = block * Self.block
                            let count = min(Self.block, tokens - start)
                            let grid = unsafe sums(
                                queries + (start * heads + head) * 2 * half, tokens: count,
                                heads: heads, head: head)
                            for token in 0..<count {
                                let group = (start + token) * heads + head
                                unsafe margins[group] = grid.pick(
                                    token, k, ids + group * k, scores + group * k)
                            }
                        }
                    }
                }
            }
        }
    }

    /// The scores of one head for some tokens, of both sides.
    private func sums(
        _ queries: UnsafePointer<Float>, tokens: Int, heads: Int, head: Int
    ) -> Scores {
        let scores = Scores(tokens: tokens, first: firstCount, second: secondCount)
        let (stride, set) = (heads * 2 * half, sets == 1 ? 0 : head)
        let length = (tokens - 1) * stride + half
        scores.fill { one, two in
            first[set].multiply(
                unsafe Span(_unsafeStart: queries, count: length), tokens: tokens, stride: stride,
                into: &one, outStride: nil, team: .single)
            second[set].multiply(
                unsafe Span(_unsafeStart: queries + half, count: length), tokens: tokens,
                stride: stride, into: &two, outStride: nil, team: .single)
        }
        return scores
    }

    /// Working memory of one thread.
    @safe private final class Scores {
        private let tokens: Int
        private let first: Int
        private let second: Int
        private let memory: UnsafeMutablePointer<Float>

        init(tokens: Int, first: Int, second: Int) {
            self.tokens = tokens
            self.first = first
            self.second = second
            unsafe memory = floats(tokens * (first + second))
        }

        deinit { unsafe memory.deallocate() }

        func fill(_ body: (inout MutableSpan<Float>, inout MutableSpan<Float>) -> Void) {
            var one = unsafe MutableSpan(_unsafeStart: memory, count: tokens * first)
            var two = unsafe MutableSpan(
                _unsafeStart: memory + tokens * first, count: tokens * second)
            body(&one, &two)
        }

        func pick(
            _ token: Int, _ k: Int, _ ids: UnsafeMutablePointer<UInt32>,
            _ scores: UnsafeMutablePointer<Float>
        ) -> Float {
            unsafe cambium_product_key_top(
                memory + token * first, first, memory + tokens * first + token * second, second, k,
                ids, scores)
        }
    }
}
