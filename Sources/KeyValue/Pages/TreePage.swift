internal import Elements

/// One branch or leaf of a B-tree (mdb.c, `MDB_page`).
///
/// | offset | bytes | |
/// | --- | --- | --- |
/// | 0 | 8 | u64 number |
/// | 8 | 4 | u16 padding, u16 flags: 1 branch, 2 leaf, 4 overflow |
/// | 12 | 4 | u16 lower, u16 upper: the free space |
/// | 16 | to lower | u16 offset of each node, in the order of their keys |
/// | upper | to the end | nodes, without gaps |
///
/// A node is u16 × 4: size (low, high), flags and length of the key; then the key; then the value, or
/// the u64 number of its first overflow page. A branch's node has its child's number in the first
/// three.
struct TreePage {
    static let overflowFlag: UInt16 = 4
    private static let headerCount = 16
    /// The greatest key (mdb.c, `MDB_MAXKEYSIZE`).
    private static let greatestKey = 511

    let bytes: [UInt8]
    let count: Int

    /// - Parameter bytes: A whole page.
    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        let lower = Int(bytes.raw.number(at: 12, as: UInt16.self))
        count = max(0, min(lower, PageFile.pageSize) - Self.headerCount) / 2
    }

    /// What of the page is not as LMDB writes it, or nil; only then may its nodes be looked at.
    func problem(number: UInt64, isLeaf: Bool, in place: PageWalk.Place) -> String? {
        let raw = bytes.raw
        let found: UInt64 = raw.number(at: 0)
        guard found == number else { return "its header says that it is page \(found)" }
        let flags: UInt16 = raw.number(at: 10)
        guard flags == (isLeaf ? 2 : 1) else {
            return "its flags are \(flags), where the tree has a \(isLeaf ? "leaf" : "branch")"
        }
        let lower = Int(raw.number(at: 12, as: UInt16.self))
        let upper = Int(raw.number(at: 14, as: UInt16.self))
        guard lower >= Self.headerCount, lower % 2 == 0, lower <= upper,
            upper <= PageFile.pageSize
        else { return "its bounds \(lower) and \(upper) are impossible" }
        let least = isLeaf || place.content == .freePages ? 1 : 2
        guard count >= least else { return "it has \(count) nodes" }
        return nodeProblem(isLeaf, upper, place) ?? orderProblem(isLeaf, place)
    }

    /// Nodes fill the page from `upper` to its end.
    private func nodeProblem(_ isLeaf: Bool, _ upper: Int, _ place: PageWalk.Place) -> String? {
        let raw = bytes.raw
        var extents: [(start: Int, end: Int)] = []
        extents.reserveCapacity(count)
        for index in 0..<count {
            let start = Int(raw.number(at: Self.headerCount + 2 * index, as: UInt16.self))
            guard start >= upper, start % 2 == 0, start + 8 <= PageFile.pageSize else {
                return "node \(index) begins at \(start), outside the nodes"
            }
            let node = Node(bytes: bytes, start: start)
            let flags = node.flags
            guard !isLeaf || flags <= 2 else { return "node \(index) has the flags \(flags)" }
            let key = node.keyCount
            let isImplied = !isLeaf && index == 0
            guard key <= Self.greatestKey, key >= 1 || isImplied,
                place.content != .freePages || key == 8 || isImplied
            else { return "node \(index) has a key of \(key) bytes" }
            let value = isLeaf ? (node.isLarge ? 8 : node.valueCount) : 0
            let end = start + (8 + key + value + 1) / 2 * 2
            guard end <= PageFile.pageSize else {
                return "node \(index) ends at \(end), behind the page"
            }
            extents.append((start, end))
        }
        extents.sort { $0.start < $1.start }
        var end = upper
        for extent in extents {
            guard extent.start == end else { return "its nodes overlap or have gaps at \(end)" }
            end = extent.end
        }
        return end == PageFile.pageSize ? nil : "its nodes end at \(end)"
    }

    /// Keys ascend, within the bounds that the branch above gives.
    ///
    /// The first key of a branch is implied.
    private func orderProblem(_ isLeaf: Bool, _ place: PageWalk.Place) -> String? {
        let isNumber = place.content == .freePages
        let first = isLeaf ? 0 : 1
        for index in first..<count {
            let node = node(index)
            if index == first {
                if let low = place.low, node.isBelow(low, isNumber) {
                    return "node \(index) has a key below what the branch above says"
                }
            } else if !self.node(index - 1).isBelow(node, isNumber) {
                return "the keys of the nodes \(index - 1) and \(index) do not ascend"
            }
        }
        if count > first, let high = place.high, !node(count - 1).isBelow(high, isNumber) {
            return "its last key is not below what the branch above says"
        }
        return nil
    }

    func node(_ index: Int) -> Node {
        Node(
            bytes: bytes,
            start: Int(bytes.raw.number(at: Self.headerCount + 2 * index, as: UInt16.self)))
    }

    struct Node {
        fileprivate let bytes: [UInt8]
        fileprivate let start: Int

        fileprivate var flags: UInt16 { bytes.raw.number(at: start + 4) }
        fileprivate var keyCount: Int { Int(bytes.raw.number(at: start + 6, as: UInt16.self)) }
        /// Bytes of the value.
        var valueCount: Int { Int(bytes.raw.number(at: start, as: UInt32.self)) }
        /// Whether the value has overflow pages.
        var isLarge: Bool { flags & 1 != 0 }
        /// Whether the value is the tree of a table.
        var isTable: Bool { flags & 2 != 0 }
        var key: [UInt8] { Array(bytes[(start + 8)..<(start + 8 + keyCount)]) }
        var name: String { String(decoding: key, as: UTF8.self) }
        /// A value on the page itself.
        var value: [UInt8] {
            let start = start + 8 + keyCount
            return Array(bytes[start..<(start + valueCount)])
        }
        /// The page below a branch's node, or the first overflow page of a large value.
        var child: UInt64 {
            if isLeafRun { return bytes.raw.number(at: start + 8 + keyCount) }
            let low = UInt64(bytes.raw.number(at: start, as: UInt32.self))
            return low | UInt64(flags) << 32
        }
        private var isLeafRun: Bool { bytes.raw.number(at: 10, as: UInt16.self) == 2 }

        fileprivate func isBelow(_ other: Node, _ isNumber: Bool) -> Bool {
            TreePage.isBelow(
                bytes.raw, start + 8, keyCount, other.bytes.raw, other.start + 8, other.keyCount,
                isNumber)
        }

        fileprivate func isBelow(_ key: [UInt8], _ isNumber: Bool) -> Bool {
            TreePage.isBelow(bytes.raw, start + 8, keyCount, key.raw, 0, key.count, isNumber)
        }
    }

    /// As numbers, or as LMDB's default: by bytes, then by length.
    private static func isBelow(
        _ left: RawSpan, _ start: Int, _ count: Int, _ right: RawSpan, _ otherStart: Int,
        _ otherCount: Int, _ isNumber: Bool
    ) -> Bool {
        if isNumber {
            return left.number(at: start, as: UInt64.self)
                < right.number(at: otherStart, as: UInt64.self)
        }
        for offset in 0..<min(count, otherCount) {
            let (a, b) = (
                left.number(at: start + offset, as: UInt8.self),
                right.number(at: otherStart + offset, as: UInt8.self)
            )
            if a != b { return a < b }
        }
        return count < otherCount
    }
}
