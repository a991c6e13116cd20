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

    /// Reads `RssAnon` and `RssFile` of proc_pid_status(5); nil when they are not there.
    init?(status: String) {
        func bytes(_ key: String) -> Int? {
            let line = status.split(separator: "\n").first { $0.hasPrefix(key + ":") }
            let fields = line?.split { $0 == " " || $0 == "\t" } ?? []
            return fields.count >= 2 ? Int(fields[1]).map { $0 * 1024 } : nil
        }
        guard let anonymous = bytes("RssAnon"), let file = bytes("RssFile") else { return nil }
        self.anonymous = anonymous
        self.file = file
    }
}

/// Watches the process's memory: the kernel keeps no peaks of the two kinds apart.
struct MemoryMeter {
    /// The peaks so far; nil where the system does not tell.
    private(set) var peak: MemoryUse?

    /// Looks at the memory in use now.
    mutating func sample() {
        guard let bytes = try? Terminal.read("/proc/self/status"),
            let use = MemoryUse(status: String(decoding: bytes, as: UTF8.self))
        else { return }
        peak = MemoryUse(
            anonymous: max(peak?.anonymous ?? 0, use.anonymous),
            file: max(peak?.file ?? 0, use.file))
    }
}

extension MemoryUse {
    fileprivate init(anonymous: Int, file: Int) {
        self.anonymous = anonymous
        self.file = file
    }

    /// The peaks as a row for a person.
    var text: String {
        "\(Quantity.bytes(anonymous)) own (RssAnon), \(Quantity.bytes(file)) mapped (RssFile)"
    }
}
