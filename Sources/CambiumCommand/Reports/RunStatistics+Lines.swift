internal import Cambium
internal import Reporting

extension RunStatistics {
    /// The figures for a person.
    var lines: [String] {
        let ahead =
            prefetched == 0
            ? ""
            : "; \(Quantity.count(prefetched)) asked for ahead, "
                + "\(Quantity.share(prefetchedUsed, of: prefetched)) of them used"
        let released =
            bytesReleased == 0 ? "" : "; \(Quantity.bytes(bytesReleased)) of pages given back"
        return [
            "\(Quantity.count(selections)) selections, \(Quantity.share(selections - firstSelections, of: selections)) of "
                + "experts in use before" + ahead,
            "\(Quantity.bytes(bytesRead)) read from disk, "
                + Quantity.count(majorFaults, "page fault") + " that waited for it" + released,
        ]
    }
}
