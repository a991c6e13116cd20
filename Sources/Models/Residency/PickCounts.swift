/// How often experts were picked lately.
struct PickCounts {
    private var counts: [ExpertCache.Key: Int] = [:]
    private var total = 0

    func callAsFunction(_ key: ExpertCache.Key) -> Int { counts[key, default: 0] }

    /// Counts a pick; all counts are halved when there are sixteen for each expert, so that what was long ago counts less.
    mutating func add(_ key: ExpertCache.Key) {
        counts[key, default: 0] += 1
        total += 1
        guard total >= 16 * counts.count, total >= 256 else { return }
        counts = counts.mapValues { $0 / 2 }.filter { $0.value > 0 }
        total = counts.values.reduce(0, +)
    }
}
