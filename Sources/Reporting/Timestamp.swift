internal import FoundationEssentials

/// Seconds since 1970-01-01 00:00 UTC as people write and read them.
package enum Timestamp {
    /// For example `2026-11-24 03:10 UTC`.
    ///
    /// Outside of the years 1 to 9999, where only a broken clock leads, the bare number.
    package static func text(_ seconds: Int64) -> String {
        guard (-62_135_596_800..<253_402_300_800).contains(seconds) else {
            return "\(seconds) s UTC"
        }
        let date = Date(timeIntervalSince1970: Double(seconds))
            .formatted(Date.ISO8601FormatStyle(dateTimeSeparator: .space))
        // Without `:00Z`.
        return date.dropLast(4) + " UTC"
    }

    /// For example `2 hours ago`; `in the future` when a clock was wrong.
    package static func relative(_ seconds: Int64, now: Int64) -> String {
        let (difference, overflow) = now.subtractingReportingOverflow(seconds)
        if overflow { return seconds < now ? "long ago" : "in the future" }
        switch difference {
        case ..<(-60): return "in the future"
        case ..<60: return "just now"
        default: break
        }
        let units: [(Int64, String)] = [
            (365 * 86_400, "year"), (30 * 86_400, "month"), (7 * 86_400, "week"), (86_400, "day"),
            (3600, "hour"), (60, "minute"),
        ]
        for (length, name) in units where difference >= length {
            return "\(Quantity.count(Int(difference / length), name)) ago"
        }
        return "just now"
    }

    /// For example `2 hours ago (2026-11-24 03:10 UTC)`.
    package static func full(_ seconds: Int64, now: Int64) -> String {
        "\(relative(seconds, now: now)) (\(text(seconds)))"
    }
}
