internal import Elements

/// A walk through the pages of one state of the store, without LMDB, which trusts what it reads.
///
/// It shows that every page below the last one is reachable or free, exactly once, and that the
/// B-trees are what LMDB 0.9 writes (mdb.c, `MDB_page` and `MDB_node`): numbers, flags, bounds of
/// pages and nodes, order of keys and counts.
///
/// - Complexity: Reads each branch and leaf once, with ``Extent/everything`` also the first bytes of
///   each overflow run; one bit of memory for each page of the file.
struct PageWalk {
    /// How much a walk reads.
    enum Extent {
        /// The B-trees of the tables, which reading relies on.
        case tables
        /// The list of free pages alone.
        case freeList
        /// Both, and that no page is in both: what writing relies on.
        case both
        /// The headers of overflow runs as well.
        case everything
    }

    /// What the keys and values of a tree are.
    enum Content {
        case freePages, tables, records
    }

    /// What was counted in one tree.
    struct Counts {
        var branchPages: UInt64 = 0
        var leafPages: UInt64 = 0
        var overflowPages: UInt64 = 0
        var entries: UInt64 = 0
    }

    /// A page that is being looked at.
    struct Place {
        let tree: StoredTree
        let name: String
        let content: Content
        let page: UInt64
        let level: Int
        /// The keys of its nodes are not below `low`, and below `high`.
        let low: [UInt8]?
        let high: [UInt8]?

        var subject: String {
            switch content {
            case .freePages: "page \(page) (list of free pages)"
            case .tables: "page \(page) (list of tables)"
            case .records: "page \(page) (table \(name))"
            }
        }
    }

    /// Faults beyond these are only counted.
    private static let greatestListed = 1_000
    /// mdb.c, `CURSOR_STACK`.
    private static let greatestDepth = 32

    let file: PageFile
    let meta: PageMeta
    let extent: Extent
    private(set) var damages: [PageDamage] = []
    private(set) var unlisted = 0
    var counts = Counts()
    private(set) var used: PageSet
    var free: PageSet
    var freeCount = 0
    /// The newest transaction that freed pages; 0 when none did.
    var newestFreeing: UInt64 = 0
    var tables: [(name: String, tree: StoredTree)] = []

    /// - Parameter meta: One whose pages no writer reuses meanwhile.
    init(_ file: PageFile, _ meta: PageMeta, _ extent: Extent) {
        self.file = file
        self.meta = meta
        self.extent = extent
        // Free pages may lie behind the end of the file.
        let count = max(file.count, Int(clamping: meta.lastPage) + 1)
        used = PageSet(count: count)
        free = PageSet(count: count)
    }

    mutating func run() {
        if extent != .tables {
            walk(meta.freePages, "", .freePages)
            checkNewestFreeing()
        }
        guard extent != .freeList else { return }
        walk(meta.tables, "", .tables)
        for (name, tree) in tables { walk(tree, name, .records) }
        if extent != .tables { compareFreePages() }
    }

    mutating func fault(_ subject: String, _ message: String) {
        guard damages.count < Self.greatestListed else {
            unlisted += 1
            return
        }
        damages.append(PageDamage(subject: subject, message: message))
    }

    private mutating func walk(_ tree: StoredTree, _ name: String, _ content: Content) {
        let before = damages.count
        counts = Counts()
        let place = Place(
            tree: tree, name: name, content: content, page: tree.root, level: 1, low: nil,
            high: nil)
        let subject =
            switch content {
            case .freePages: "list of free pages"
            case .tables: "list of tables"
            case .records: "table \(name)"
            }
        if content == .records, tree.flags != 0 || tree.pad != 0 {
            fault(subject, "its flags \(tree.flags) are not those of a table")
        }
        if tree.root != StoredTree.noPage {
            guard tree.depth >= 1, tree.depth <= Self.greatestDepth else {
                return fault(subject, "its depth \(tree.depth) is impossible")
            }
            visit(place)
        } else if tree.depth != 0 {
            fault(subject, "it has no page, and depth \(tree.depth)")
        }
        // Counts follow from the pages only when these are sound.
        guard damages.count == before else { return }
        // What a run has beyond its need is in its header only.
        let isLeast = extent != .everything && counts.overflowPages < tree.overflowPages
        for (what, counted, noted) in [
            ("branch pages", counts.branchPages, tree.branchPages),
            ("leaf pages", counts.leafPages, tree.leafPages),
            (
                "overflow pages", isLeast ? tree.overflowPages : counts.overflowPages,
                tree.overflowPages
            ),
            ("entries", counts.entries, tree.entries),
        ] where counted != noted {
            fault(subject, "it has \(counted) \(what), and notes \(noted)")
        }
    }

    /// Takes a page for one that is in use; returns whether it may be.
    mutating func use(_ page: UInt64, _ subject: String, as what: String) -> Bool {
        guard page <= 1 || page > meta.lastPage || page < UInt64(file.count) else {
            fault(
                subject,
                "\(what) \(page) lies behind the end of the file of \(file.count) pages: it was truncated"
            )
            return false
        }
        guard page >= 2, page <= meta.lastPage else {
            fault(subject, "\(what) \(page) is outside the \(meta.lastPage + 1) pages of the store")
            return false
        }
        guard used.insert(page) else {
            fault(subject, "\(what) \(page) is in use elsewhere, too")
            return false
        }
        return true
    }

    /// Takes overflow pages in a row for ones that are in use; returns whether they may be.
    private mutating func use(_ run: Range<UInt64>, _ place: Place) -> Bool {
        if run.lowerBound >= 2, run.upperBound <= min(meta.lastPage + 1, UInt64(file.count)),
            used.insert(run)
        {
            return true
        }
        // Which of them may not.
        return run.allSatisfy { use($0, place.subject, as: "overflow page") }
    }

    /// Checks a branch or leaf and all below it.
    private mutating func visit(_ place: Place) {
        guard use(place.page, place.subject, as: "page") else { return }
        guard let bytes = file.bytes(place.page) else {
            return fault(place.subject, "it cannot be read")
        }
        let page = TreePage(bytes)
        let isLeaf = place.level == Int(place.tree.depth)
        if let problem = page.problem(number: place.page, isLeaf: isLeaf, in: place) {
            return fault(place.subject, problem)
        }
        guard !isLeaf else {
            counts.leafPages += 1
            counts.entries += UInt64(page.count)
            for index in 0..<page.count { visit(page.node(index), place) }
            return
        }
        counts.branchPages += 1
        for index in 0..<page.count {
            visit(
                Place(
                    tree: place.tree, name: place.name, content: place.content,
                    page: page.node(index).child, level: place.level + 1,
                    low: index == 0 ? place.low : page.node(index).key,
                    high: index + 1 < page.count ? page.node(index + 1).key : place.high))
        }
    }

    /// Checks the value of a leaf's node.
    private mutating func visit(_ node: TreePage.Node, _ place: Place) {
        var value: [UInt8]?
        if node.isLarge {
            let run = node.child
            // mdb.c, `OVPAGES`: the run begins with a page header.
            var length = UInt64(node.valueCount + 15) / UInt64(PageFile.pageSize) + 1
            if extent == .everything || place.content == .freePages {
                guard let stored = runLength(run, atLeast: length, place) else { return }
                length = stored
            }
            guard run <= meta.lastPage, length <= meta.lastPage else {
                return fault(
                    place.subject,
                    "overflow pages \(run) to \(run &+ length) are outside the "
                        + "\(meta.lastPage + 1) pages of the store")
            }
            guard use(run..<(run + length), place) else { return }
            counts.overflowPages += length
            if place.content == .freePages {
                value = file.bytes(run, 16 + node.valueCount).map { Array($0.dropFirst(16)) }
            }
        } else if place.content != .records {
            value = node.value
        }
        switch place.content {
        case .records:
            if node.isTable { fault(place.subject, "a record claims to be a table") }
        case .tables:
            guard node.isTable, let value, value.count == StoredTree.byteCount else {
                return fault(place.subject, "'\(node.name)' is not a table")
            }
            tables.append((node.name, StoredTree(value.raw, at: 0)))
        case .freePages:
            guard !node.isTable, let value else {
                return fault(place.subject, "a list cannot be read")
            }
            add(value, of: node.key, place)
        }
    }

    /// The pages of an overflow run by its header, or nil when it is damaged.
    ///
    /// A record that was overwritten in its own transaction may have more than it needs.
    private mutating func runLength(
        _ run: UInt64, atLeast least: UInt64, _ place: Place
    ) -> UInt64? {
        guard run >= 2, run <= meta.lastPage, let header = file.bytes(run, 16) else {
            fault(
                place.subject,
                "overflow page \(run) is outside the \(meta.lastPage + 1) pages of the store")
            return nil
        }
        let length = UInt64(header.raw.number(at: 12, as: UInt32.self))
        guard header.raw.number(at: 0) == run, header.raw.number(at: 10) == TreePage.overflowFlag,
            length >= least
        else {
            fault(
                "page \(run) (\(place.content == .records ? "table \(place.name)" : "list"))",
                "it does not begin as an overflow run of \(least) pages")
            return nil
        }
        return length
    }
}
