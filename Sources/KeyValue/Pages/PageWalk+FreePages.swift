internal import Elements

/// The part of a page walk that looks at the list of free pages.
extension PageWalk {
    /// Takes the pages of one record for free ones.
    ///
    /// - Parameters:
    ///   - value: u64 number of pages and their numbers, descending (mdb.c, `MDB_IDL`); a list of no
    ///     pages may have room behind.
    ///   - key: The transaction that freed them, u64.
    mutating func add(_ value: [UInt8], of key: [UInt8], _ place: Place) {
        let transaction = key.raw.number(at: 0, as: UInt64.self)
        guard transaction >= 1, transaction <= meta.transaction else {
            return fault(
                place.subject,
                "transaction \(transaction) freed pages, and the last one is \(meta.transaction)")
        }
        newestFreeing = max(newestFreeing, transaction)
        guard value.count >= 8, value.count % 8 == 0 else {
            return fault(place.subject, "a list has \(value.count) bytes")
        }
        let bytes = value.raw
        let count: UInt64 = bytes.number(at: 0)
        guard count == 0 || count == UInt64(value.count / 8 - 1) else {
            return fault(place.subject, "a list of \(value.count) bytes claims \(count) pages")
        }
        var last = UInt64.max
        for index in 0..<Int(count) {
            let page: UInt64 = bytes.number(at: 8 + 8 * index)
            guard page < last else {
                return fault(place.subject, "the free page \(page) is out of order")
            }
            guard page >= 2, page <= meta.lastPage else {
                return fault(
                    place.subject,
                    "the free page \(page) is outside the \(meta.lastPage + 1) pages of the store")
            }
            if !free.insert(page) { fault(place.subject, "page \(page) is free twice") }
            freeCount += 1
            last = page
        }
    }

    /// Every commit frees the pages that it wrote anew, so the newest record of the list is of the state's own
    /// transaction: a meta page whose number was changed poses as a newer state than it is.
    ///
    /// A copy without free pages has no list.
    mutating func checkNewestFreeing() {
        guard newestFreeing != 0, newestFreeing != meta.transaction, damages.isEmpty else { return }
        fault(
            "meta page \(meta.number)",
            "it claims transaction \(meta.transaction), and its list of free pages ends with "
                + "\(newestFreeing): the newest state is on the other meta page")
    }

    /// Each page is in use or free, once.
    mutating func compareFreePages() {
        let range = 2..<(meta.lastPage + 1)
        for run in used.common(with: free, in: range) {
            fault(
                Self.name(run), "in use, and in the list of free pages: a commit would overwrite it"
            )
        }
        // Without the headers of overflow runs, what a run has too much is not known; and below a
        // damaged page nothing is.
        guard extent == .everything, damages.isEmpty else { return }
        for run in used.common(with: free, neither: true, in: range) {
            fault(Self.name(run), "neither in use nor in the list of free pages")
        }
    }

    private static func name(_ run: ClosedRange<UInt64>) -> String {
        run.count == 1
            ? "page \(run.lowerBound)" : "pages \(run.lowerBound) to \(run.upperBound)"
    }
}
