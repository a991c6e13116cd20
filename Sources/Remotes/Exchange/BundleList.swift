/// The bundles that an entry of a reference names.
package enum BundleList {
    /// Bundles of one size that are joined, as the digits of a counter carry over; but one digit at each push, so
    /// that none reads more than so many.
    private static let base = 4
    /// Where an entry names so many, as after a merge of a thousand branches, most are joined, so that it stays short.
    package static let greatestCount = 1_024
    /// Of so many the largest ones are left as they are.
    private static let largestKept = 64
    /// Larger ones are not joined: what that saves of requests it costs in bytes.
    private static let greatestBytes = 16 << 20

    /// The bundles of a list that a new one takes in, so that a long history has few of them.
    ///
    /// - Parameter commits: Those of the new bundle.
    package static func absorbed(
        by commits: Int, _ bundles: [ReferenceEntry.Bundle]
    ) -> [ReferenceEntry.Bundle] {
        guard bundles.count < greatestCount else {
            let kept = Set(bundles.sorted { $0.commits > $1.commits }.prefix(largestKept))
            var rest = greatestBytes
            return bundles.filter { bundle in
                guard !kept.contains(bundle), bundle.bytes <= rest else { return false }
                rest -= bundle.bytes
                return true
            }
        }
        var levels: [Int: [ReferenceEntry.Bundle]] = [:]
        for bundle in bundles where bundle.bytes <= greatestBytes {
            levels[level(of: bundle.commits), default: []].append(bundle)
        }
        let own = level(of: commits)
        // Smaller ones first: they come most often. With those of its own size the new one makes a whole digit.
        for level in levels.keys.sorted() {
            let needed = level == own ? base - 1 : base
            if let run = levels[level], run.count >= needed { return Array(run.suffix(needed)) }
        }
        return []
    }

    private static func level(of count: Int) -> Int {
        var level = 0
        var size = base
        while size <= count {
            size *= base
            level += 1
        }
        return level
    }
}
