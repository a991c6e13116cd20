internal import Elements
internal import Files
internal import Glibc

/// The pages of a store's file, read beside LMDB's map: a file that ends early is an error here, and
/// a signal there.
struct PageFile {
    static let pageSize = 4096

    private let descriptor: Int32
    private let path: String
    /// Whole pages of the file.
    let count: Int

    /// - Parameter descriptor: An open file, which the caller closes.
    init(_ descriptor: Int32, _ path: String) throws {
        self.descriptor = descriptor
        self.path = path
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { throw storeError("look at", path) }
        count = Int(status.st_size) / Self.pageSize
    }

    /// The first bytes of a page, or of pages in a row; nil where the file ends or cannot be read.
    func bytes(_ page: UInt64, _ size: Int = pageSize) -> [UInt8]? {
        guard page < UInt64(count) else { return nil }
        var bytes = [UInt8](repeating: 0, count: size)
        var span = bytes.mutableSpan
        var room = unsafe span.mutableBytes
        let count = readAll(descriptor, into: &room, at: Int(page) * Self.pageSize)
        return count == size ? bytes : nil
    }
}

/// A set of page numbers, one bit for each page of a file.
struct PageSet {
    private var words: [UInt64]

    init(count: Int) { words = Array(repeating: 0, count: (count + 63) / 64) }

    /// Adds a page of the file; returns whether it was new.
    mutating func insert(_ page: UInt64) -> Bool {
        let (word, bit) = (Int(page / 64), UInt64(1) << (page % 64))
        guard words[word] & bit == 0 else { return false }
        words[word] |= bit
        return true
    }

    /// Adds pages in a row, unless one of them is there already; returns whether it did.
    ///
    /// - Complexity: A step for 64 pages.
    mutating func insert(_ run: Range<UInt64>) -> Bool {
        guard Self.masks(run).allSatisfy({ words[$0] & $1 == 0 }) else { return false }
        for (word, mask) in Self.masks(run) { words[word] |= mask }
        return true
    }

    /// The words that hold a run, and its bits in each.
    private static func masks(_ run: Range<UInt64>) -> some Sequence<(word: Int, mask: UInt64)> {
        let words = run.isEmpty ? 0..<0 : run.lowerBound / 64..<(run.upperBound - 1) / 64 + 1
        return words.lazy.map { word in
            let bits = run.clamped(to: word * 64..<(word + 1) * 64)
            let ones = UInt64.max >> (64 - UInt64(bits.count))
            return (Int(word), ones << (bits.lowerBound % 64))
        }
    }

    /// Runs of pages of `range` that are in both sets, or with `neither` in none of them.
    func common(
        with other: PageSet, neither: Bool = false, in range: Range<UInt64>
    ) -> [ClosedRange<UInt64>] {
        var runs: [ClosedRange<UInt64>] = []
        for index in words.indices {
            var word =
                neither ? ~(words[index] | other.words[index]) : words[index] & other.words[index]
            while word != 0 {
                let page = UInt64(index * 64 + word.trailingZeroBitCount)
                word &= word - 1
                guard range.contains(page) else { continue }
                if let last = runs.last, last.upperBound + 1 == page {
                    runs[runs.count - 1] = last.lowerBound...page
                } else {
                    runs.append(page...page)
                }
            }
        }
        return runs
    }
}
