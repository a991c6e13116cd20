internal import CKernels

/// Exact selection of the best.
extension Kernels {
    /// The largest top-k that the selections serve.
    package static let largestTopK = Int(CAMBIUM_MAX_TOP_K)

    /// Of each group the best scores, exactly.
    ///
    /// - Parameters:
    ///   - scores: [groups, n].
    ///   - ids: [groups, k], k at most n and `largestTopK`: receives the positions, best first, equal
    ///     scores in ascending position.
    ///   - picked: [groups, k], receives their scores.
    ///   - margins: [groups], receives the last pick's score minus that of the best that was not
    ///     picked, or infinity.
    package static func top(
        _ scores: Span<Float>, ids: inout MutableSpan<UInt32>, picked: inout MutableSpan<Float>,
        margins: inout MutableSpan<Float>, team: ThreadTeam = .single
    ) {
        let groups = margins.count
        guard groups > 0 else { return }
        let (n, k) = (scores.count / groups, ids.count / groups)
        check(groups, ids, picked, k, sums: n)
        precondition(scores.count == groups * n, "\(scores.count) scores in \(groups) groups")
        unsafe scores.withUnsafeBufferPointer { scores in
            guard let source = scores.baseAddress else { return }
            nonisolated(unsafe) let scores = unsafe source
            unsafe forEachGroup(groups, k, &ids, &picked, &margins, team) { group, ids, picked in
                unsafe cambium_top(scores + group * n, n, k, ids, picked)
            }
        }
    }

    /// Of each group the best sums of a score from each side, exactly.
    ///
    /// A group is one head of one token; `ProductKeyRouter` tells the rule.
    ///
    /// - Parameters:
    ///   - first: [groups, n], the scores of the sub-keys that give the high digit.
    ///   - second: [groups, m], those of the low digit.
    ///   - ids: [groups, k], k at most n m and `largestTopK`: receives high m + low, best first.
    ///   - scores: [groups, k], receives the sums.
    ///   - margins: [groups], receives the last pick's score minus that of the best sum that was
    ///     not picked, or infinity.
    package static func productKeyTop(
        first: Span<Float>, second: Span<Float>, ids: inout MutableSpan<UInt32>,
        scores: inout MutableSpan<Float>, margins: inout MutableSpan<Float>,
        team: ThreadTeam = .single
    ) {
        let groups = margins.count
        guard groups > 0 else { return }
        let (n, m, k) = (first.count / groups, second.count / groups, ids.count / groups)
        precondition(
            first.count == groups * n && second.count == groups * m && n <= 65_536 && m <= 65_536,
            "\(first.count) and \(second.count) scores in \(groups) groups")
        check(groups, ids, scores, k, sums: n * m)
        unsafe first.withUnsafeBufferPointer { first in
            unsafe second.withUnsafeBufferPointer { second in
                guard let one = first.baseAddress, let two = second.baseAddress else { return }
                nonisolated(unsafe) let first = unsafe one
                nonisolated(unsafe) let second = unsafe two
                unsafe forEachGroup(groups, k, &ids, &scores, &margins, team) {
                    group, ids, scores in
                    unsafe cambium_product_key_top(
                        first + group * n, n, second + group * m, m, k, ids, scores)
                }
            }
        }
    }

    private static func check(
        _ groups: Int, _ ids: borrowing MutableSpan<UInt32>, _ scores: borrowing MutableSpan<Float>,
        _ k: Int, sums: Int
    ) {
        precondition(
            ids.count == groups * k && scores.count == groups * k,
            "\(ids.count) and \(scores.count) picks in \(groups) groups")
        precondition(k > 0 && k <= sums && k <= largestTopK, "top \(k) of \(sums) sums")
    }

    private static func forEachGroup(
        _ groups: Int, _ k: Int, _ ids: inout MutableSpan<UInt32>,
        _ scores: inout MutableSpan<Float>, _ margins: inout MutableSpan<Float>,
        _ team: ThreadTeam,
        _ body: @Sendable (Int, UnsafeMutablePointer<UInt32>, UnsafeMutablePointer<Float>) -> Float
    ) {
        unsafe ids.withUnsafeMutableBufferPointer { ids in
            unsafe scores.withUnsafeMutableBufferPointer { scores in
                unsafe margins.withUnsafeMutableBufferPointer { margins in
                    guard let one = ids.baseAddress, let two = scores.baseAddress,
                        let three = margins.baseAddress
                    else { return }
                    nonisolated(unsafe) let ids = unsafe one
                    nonisolated(unsafe) let scores = unsafe two
                    nonisolated(unsafe) let margins = unsafe three
                    let parts = min(groups, team.count == 1 ? 1 : 2 * team.count)
                    team.forEach(parts) { part in
                        for group in groups * part / parts..<groups * (part + 1) / parts {
                            unsafe margins[group] = body(
                                group, ids + group * k, scores + group * k)
                        }
                    }
                }
            }
        }
    }
}
