internal import Elements

/// One tree of pages as LMDB notes it (mdb.c, `MDB_db`): 48 bytes.
struct StoredTree {
    static let byteCount = 48
    /// The root of an empty tree.
    static let noPage = UInt64.max

    let pad: UInt32
    let flags: UInt16
    let depth: UInt16
    let branchPages: UInt64
    let leafPages: UInt64
    let overflowPages: UInt64
    let entries: UInt64
    let root: UInt64

    init(_ bytes: RawSpan, at offset: Int) {
        pad = bytes.number(at: offset)
        flags = bytes.number(at: offset + 4)
        depth = bytes.number(at: offset + 6)
        branchPages = bytes.number(at: offset + 8)
        leafPages = bytes.number(at: offset + 16)
        overflowPages = bytes.number(at: offset + 24)
        entries = bytes.number(at: offset + 32)
        root = bytes.number(at: offset + 40)
    }
}

/// One of the two pages that tell where a state of the store begins (mdb.c, `MDB_meta`).
///
/// | offset | bytes | |
/// | --- | --- | --- |
/// | 0 | 16 | page header |
/// | 16 | 8 | u32 0xBEEFC0DE, u32 version 1 |
/// | 24 | 16 | u64 address, u64 size of the map |
/// | 40 | 96 | the trees of the free pages and of the tables |
/// | 136 | 16 | u64 last page, u64 transaction |
struct PageMeta {
    let freePages: StoredTree
    let tables: StoredTree
    let lastPage: UInt64
    let transaction: UInt64
    let number: UInt64
    private let header: (flags: UInt16, magic: UInt32, version: UInt32, address: UInt64)
    private let mapSize: UInt64

    /// - Parameter number: 0 or 1: which of the two pages in `pages`, which holds both.
    private init(_ pages: RawSpan, _ number: Int) {
        let start = number * PageFile.pageSize
        self.number = UInt64(number)
        header = (
            pages.number(at: start + 10), pages.number(at: start + 16),
            pages.number(at: start + 20), pages.number(at: start + 24)
        )
        mapSize = pages.number(at: start + 32)
        freePages = StoredTree(pages, at: start + 40)
        tables = StoredTree(pages, at: start + 88)
        lastPage = pages.number(at: start + 136)
        transaction = pages.number(at: start + 144)
    }

    /// Both, the one that LMDB would take first; nil when the file is too short.
    static func pair(_ file: PageFile) -> (newest: PageMeta, older: PageMeta)? {
        guard let pages = file.bytes(0, 2 * PageFile.pageSize) else { return nil }
        let (even, odd) = (PageMeta(pages.raw, 0), PageMeta(pages.raw, 1))
        return even.transaction < odd.transaction ? (odd, even) : (even, odd)
    }

    /// Pages behind the end of the file that may be counted, and must not be in use.
    ///
    /// LMDB does not write the last ones of a transaction that frees them again (mdb.c, `mdb_page_flush`,
    /// P_LOOSE).
    private static let greatestUnwritten: UInt64 = 1 << 20

    /// What is wrong with the two, so far as LMDB relies on it.
    ///
    /// - Parameter greatestMap: What the size of the map cannot exceed.
    static func damages(
        _ pair: (newest: PageMeta, older: PageMeta), pages: Int, greatestMap: Int
    ) -> [PageDamage] {
        var damages: [PageDamage] = []
        for meta in [pair.newest, pair.older] {
            func fault(_ message: String) {
                damages.append(PageDamage(subject: "meta page \(meta.number)", message: message))
            }
            if meta.header.magic != 0xBEEF_C0DE || meta.header.version != 1
                || meta.header.flags != 8
            {
                fault("it does not begin as one")
            }
            // Commits write the two in turn, so transaction n is on page n modulo 2.
            let isNew = pair.newest.transaction == 0
            if !isNew,
                meta.transaction & 1 != meta.number
                    || pair.newest.transaction - pair.older.transaction != 1
            {
                fault("its transaction \(meta.transaction) does not follow the other page's")
            }
        }
        let meta = pair.newest
        func fault(_ message: String) {
            damages.append(PageDamage(subject: "meta page \(meta.number)", message: message))
        }
        if meta.lastPage >= UInt64(pages) + greatestUnwritten || meta.lastPage < 1 {
            fault("its last page is number \(meta.lastPage), of \(pages) pages in the file")
        }
        let size = UInt64(PageFile.pageSize)
        let used = meta.lastPage.addingReportingOverflow(1).partialValue
            .multipliedReportingOverflow(by: size)
        if meta.header.address != 0 || meta.mapSize % size != 0 || meta.mapSize > greatestMap
            || meta.mapSize < pair.older.mapSize || meta.mapSize < used.partialValue
            || used.overflow
        {
            fault("its map of \(meta.mapSize) bytes at \(meta.header.address) is impossible")
        }
        // The page size stands in the first tree's padding; its keys are numbers (MDB_INTEGERKEY).
        if meta.freePages.pad != UInt32(size) || meta.freePages.flags != 8 {
            fault("its page size \(meta.freePages.pad) or flags \(meta.freePages.flags) are wrong")
        }
        if meta.tables.pad != 0 || meta.tables.flags != 0 {
            fault("the flags of its tables are wrong")
        }
        return damages
    }
}

/// One thing that is wrong with LMDB's own pages.
package struct PageDamage: Sendable {
    /// For example "page 17 (table packs)".
    package let subject: String
    package let message: String
}
