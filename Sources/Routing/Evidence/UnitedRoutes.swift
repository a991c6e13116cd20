internal import Elements

/// The routes of several texts that are to stay, as one: sums added up, windows together.
///
/// Depends on the set of records alone, not on their order. A text counts once, as the model with the most experts
/// read it.
package struct UnitedRoutes: Sendable {
    /// By ascending number.
    package private(set) var layers: [RouteContribution.Layer]
    /// Of all texts: more than one record has.
    package private(set) var choose: [[UInt32]] = []
    package private(set) var check: [[UInt32]] = []
    package private(set) var report: [[UInt32]] = []
    /// Tokens of all texts.
    package private(set) var tokenCount: UInt64 = 0

    /// - Throws: `.incompatible` for records of other layers or with other quantisers, or none; `.overflow`.
    package init(_ records: [RouteContribution]) throws {
        var texts: [[UInt8]: RouteContribution] = [:]
        for record in records {
            guard let known = texts[record.data] else {
                texts[record.data] = record
                continue
            }
            let isFirst = record.encoded.lexicographicallyPrecedes(known.encoded)
            if record.experts > known.experts || record.experts == known.experts && isFirst {
                texts[record.data] = record
            }
        }
        let sorted = texts.values.sorted { $0.data.lexicographicallyPrecedes($1.data) }
        guard let first = sorted.first else {
            throw CambiumError(.incompatible, "there is no record of routes")
        }
        layers = first.layers
        for (index, record) in sorted.enumerated() {
            choose += record.windows.choose
            check += record.windows.check
            report += record.windows.report
            tokenCount = tokenCount.addingReportingOverflow(record.tokenCount).partialValue
            if index > 0 { layers = try Self.added(layers, record.layers) }
        }
    }

    private static func added(
        _ left: [RouteContribution.Layer], _ right: [RouteContribution.Layer]
    ) throws -> [RouteContribution.Layer] {
        guard left.count == right.count,
            zip(left, right).allSatisfy({
                $0.number == $1.number && $0.quantiser == $1.quantiser
            })
        else {
            throw CambiumError(
                .incompatible, "records of routes of other layers, or made with another quantiser")
        }
        var sums: [RouteContribution.Layer] = []
        for (left, right) in zip(left, right) {
            var gramSums = left.gramSums
            try gramSums.add(right.gramSums)
            sums.append(
                RouteContribution.Layer(
                    number: left.number, quantiser: left.quantiser, gramSums: gramSums))
        }
        return sums
    }
}
