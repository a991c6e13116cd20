internal import Cambium
internal import Reporting

/// The largest memory use that was seen, by kind.
struct MemoryUse: Encodable, Equatable {
    /// Bytes of the process's own memory: what it allocated.
    var anonymous: Int
    /// Bytes of mapped files in memory: store pages, shared with the page cache, and the program.
    var file: Int

    enum CodingKeys: String, CodingKey {
        case anonymous = "peakRssAnon"
        case file = "peakRssFile"
    }

    /// The peaks as a row for a person.
    var text: String {
        "\(Quantity.bytes(anonymous)) own (RssAnon), \(Quantity.bytes(file)) mapped (RssFile)"
    }
}

/// Watches the process's memory: the kernel keeps no peaks of the two kinds apart.
struct MemoryMeter {
    /// The peaks so far; nil before the first look, and where the system does not tell.
    private(set) var peak: MemoryUse?

    /// Looks at the memory in use now.
    mutating func sample(_ now: RunStatistics) {
        guard now.rssAnon > 0 else { return }
        peak = MemoryUse(
            anonymous: max(peak?.anonymous ?? 0, now.rssAnon),
            file: max(peak?.file ?? 0, now.rssFile))
    }
}
