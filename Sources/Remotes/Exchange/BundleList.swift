/// The bundles that an entry of a reference names.
package enum BundleList {
    /// Bundles of one size that are joined, as the digits of a counter carry over.
    private static let base = 8
    /// Where an entry names so many, as after a merge of a thousand branches, most are joined, so that it stays short.
    package static let greatestCount = 1_024
    /// Of so many the largest ones are left as they are.
    private static let largestKept = 64

    /// The bundles at the end of a list that a new one takes in, so that a long history has few of them.
    ///
    /// - Parameter commits: Those of the new bundle.
    package static func absorbed(
        by commits: Int, _ bundles: [ReferenceEntry.Bundle]
    ) -> [ReferenceEntry.Bundle] {
        guard bundles.count < greatestCount else {
            let kept = Set(bundles.sorted { $0.commits > $1.commits }.prefix(largestKept))
            return bundles.filter { !kept.contains($0) }
        }
        var count = commits
        var rest = bundles[...]
        while true {
            let level = level(of: count)
            let run = rest.reversed().prefix { Self.level(of: $0.commits) <= level }
            guard run.count >= base - 1 else { break }
            count += run.reduce(0) { $0 + $1.commits }
            rest = rest.dropLast(run.count)
        }
        return Array(bundles[rest.endIndex...])
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
