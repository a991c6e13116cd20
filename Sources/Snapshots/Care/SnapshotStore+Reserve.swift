internal import KeyValue
internal import Objects

extension SnapshotStore {
    /// Keeps room on the disk for a collection's transactions: it writes the location index anew, and some pages.
    ///
    /// - Complexity: Looks at one file and at the index's statistics.
    func keepReserve() throws {
        let table = environment.table(ObjectStore.indexTable)
        let index = try environment.read { transaction in
            let statistics = try transaction.statistics(table)
            return (statistics.pages + statistics.overflowPages) * 4096
        }
        Reserve.keep(in: directory, size: (1 << 20) + 2 * index)
    }
}
