internal import CKernels

extension Kernels {
    /// The largest top-k that `productKeyTop` serves.
    package static let largestTopK = Int(CAMBIUM_MAX_TOP_K)

    /// For each group the best sums of a score from each side, exactly.
    ///
    /// A group is one head of one token; `ProductKeyRouter` tells the rule.
    ///
    /// - Parameters:
    ///   - first: [groups, n], the scores of the sub-keys that give the high digit.
    ///   - second: [groups, n], those of the low digit.
    ///   - ids: [groups, k], k at most n and `largestTopK`: receives high * n + low, best first.
    ///   - scores: [groups, k], receives the sums.
    ///   - margins: [groups], receives the last pick's score minus that of the best sum that was
    ///     not picked, or infinity.
    package static func productKeyTop(
        first: Span<Float>, second: Span<Float>, ids: inout MutableSpan<UInt32>,
        scores: inout MutableSpan<Float>, margins: inout MutableSpan<Float>
    ) {
        let groups = margins.count
        guard groups > 0 else { return }
        let (n, k) = (first.count / groups, ids.count / groups)
        precondition(
            first.count == groups * n && second.count == groups * n && ids.count == groups * k
                && scores.count == groups * k,
            "\(first.count) and \(second.count) scores, \(ids.count) picks in \(groups) groups")
        precondition(
            k > 0 && k <= n && k <= largestTopK && n <= 65536, "top \(k) of \(n) x \(n) sums")
        unsafe first.withUnsafeBufferPointer { first in
            unsafe second.withUnsafeBufferPointer { second in
                unsafe ids.withUnsafeMutableBufferPointer { ids in
                    unsafe scores.withUnsafeMutableBufferPointer { scores in
                        unsafe margins.withUnsafeMutableBufferPointer { margins in
                            guard let first = first.baseAddress, let second = second.baseAddress,
                                let ids = ids.baseAddress, let scores = scores.baseAddress,
                                let margins = margins.baseAddress
                            else { return }
                            for group in 0..<groups {
                                unsafe margins[group] = cambium_product_key_top(
                                    first + group * n, second + group * n, n, k, ids + group * k,
                                    scores + group * k)
                            }
                        }
                    }
                }
            }
        }
    }
}
