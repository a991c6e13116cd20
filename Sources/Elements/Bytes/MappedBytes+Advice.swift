internal import Glibc

extension MappedBytes {
    private static let pageSize = UInt(sysconf(Int32(_SC_PAGESIZE)))

    /// Asks the kernel to read what lies on disk into memory, in the background.
    ///
    /// Advice only: nothing waits, and what fails shows when the bytes are read. The corresponding
    /// function is `madvise` with `MADV_WILLNEED`.
    package static func willNeed(_ parts: some Sequence<MappedBytes>) { ask(for: pages(parts)) }

    /// As ``willNeed(_:)``, of so much that asking takes a while: a call waits where the disk's queue is full.
    ///
    /// The thread that asks does not keep the owner: what is mapped there when it is gone takes the advice as well, which
    /// changes no bytes.
    package static func willNeedSoon(_ parts: some Sequence<MappedBytes>) {
        let ranges = pages(parts)
        guard ranges.reduce(0, { $0 + $1.count }) > 64 * adviceBytes else {
            return ask(for: ranges)
        }
        _ = Background { ask(for: ranges) }
    }

    private static func ask(for ranges: [Range<UInt>]) {
        for range in ranges {
            for offset in stride(from: 0, to: range.count, by: adviceBytes) {
                let start = range.lowerBound + UInt(offset)
                advise(start..<min(start + UInt(adviceBytes), range.upperBound), MADV_WILLNEED)
            }
        }
    }

    /// Bytes that one call asks for: of more than a disk's reading ahead (`read_ahead_kb`, 128 by default) Linux reads
    /// the begin alone (`force_page_cache_ra` in mm/readahead.c), and the rest page by page as it is touched.
    package static let adviceBytes = 1 << 17

    /// Takes the pages that lie wholly within a range of addresses out of this process's memory; they
    /// stay in the page cache, and come back when they are read.
    ///
    /// Only for memory that is mapped from a file and shared, which this cannot change: pages of the
    /// process's own would be lost. The corresponding function is `madvise` with `MADV_DONTNEED`.
    ///
    /// - Returns: The bytes of the pages.
    @discardableResult
    package static func release(_ range: Range<UInt>) -> Int {
        let first = (range.lowerBound + pageSize - 1) / pageSize * pageSize
        let end = range.upperBound / pageSize * pageSize
        guard first < end else { return 0 }
        advise(first..<end, MADV_DONTNEED)
        return Int(end - first)
    }

    /// Maps the pages that hold a range of addresses, all at once, and reads those that are on disk alone.
    ///
    /// - Returns: Whether they are there; not where the kernel does not know the call (Linux before 5.14), the file ends
    ///   before, or the disk fails. The corresponding function is `madvise` with `MADV_POPULATE_READ`.
    package static func populate(_ range: Range<UInt>) -> Bool {
        let pages = wholePages(range)
        let start = unsafe UnsafeMutableRawPointer(bitPattern: pages.lowerBound)
        return unsafe madvise(start, pages.count, MADV_POPULATE_READ) == 0
    }

    /// The pages that hold some addresses.
    private static func wholePages(_ range: Range<UInt>) -> Range<UInt> {
        range.lowerBound / pageSize * pageSize..<(range.upperBound + pageSize - 1) / pageSize
            * pageSize
    }

    /// The mapping of this process that an address lies in (proc_pid_maps(5)), with the byte of the file
    /// that it begins at; nil when there is none.
    package static func mapping(of address: UInt) -> (addresses: Range<UInt>, offset: Int)? {
        guard let file = unsafe fopen("/proc/self/maps", "re") else { return nil }
        defer { unsafe fclose(file) }
        var line: UnsafeMutablePointer<CChar>?
        var capacity = 0
        defer { unsafe free(line) }
        while unsafe getline(&line, &capacity, file) > 0 {
            guard let text = unsafe line.map({ unsafe String(cString: $0) }) else { break }
            let fields = text.split(separator: " ")
            let bounds = fields.first?.split(separator: "-") ?? []
            guard bounds.count == 2, fields.count > 2, let start = UInt(bounds[0], radix: 16),
                let end = UInt(bounds[1], radix: 16), start < end,
                let offset = Int(fields[2], radix: 16)
            else { continue }
            if (start..<end).contains(address) { return (start..<end, offset) }
        }
        return nil
    }

    /// Asks the kernel to map a range of addresses in small pages alone.
    ///
    /// The corresponding function is `madvise` with `MADV_NOHUGEPAGE`.
    package static func avoidHugePages(_ range: Range<UInt>) { advise(range, MADV_NOHUGEPAGE) }

    /// The pages that hold some bytes, neighbours joined.
    private static func pages(_ parts: some Sequence<MappedBytes>) -> [Range<UInt>] {
        var ranges: [Range<UInt>] = []
        let starts = parts.filter { $0.count > 0 }.map { part in
            wholePages(part.address..<part.address + UInt(part.count))
        }
        for range in starts.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if let last = ranges.last, range.lowerBound <= last.upperBound {
                ranges[ranges.count - 1] =
                    last.lowerBound..<max(last.upperBound, range.upperBound)
            } else {
                ranges.append(range)
            }
        }
        return ranges
    }

    private static func advise(_ range: Range<UInt>, _ advice: Int32) {
        let start = unsafe UnsafeMutableRawPointer(bitPattern: range.lowerBound)
        _ = unsafe madvise(start, range.count, advice)
    }
}
