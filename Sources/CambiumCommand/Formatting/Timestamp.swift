/// Seconds since 1970-01-01 00:00 UTC as people write and read them.
enum Timestamp {
    /// A day of the Gregorian calendar.
    struct Day: Equatable {
        var year: Int
        var month: Int
        var day: Int
    }

    /// The day that lies a number of days after 1970-01-01.
    ///
    /// Algorithm `civil_from_days` of Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms":
    /// years begin in March, so that the leap day is the last; 146,097 days are 400 years.
    static func day(_ days: Int) -> Day {
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra =
            (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        return Day(
            year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month: month,
            day: dayOfYear - (153 * monthFromMarch + 2) / 5 + 1)
    }

    /// Days from 1970-01-01 to a day; the inverse of ``day(_:)``.
    ///
    /// Nil when there is no such day.
    static func days(_ day: Day) -> Int? {
        guard (1...9999).contains(day.year), (1...12).contains(day.month), day.day >= 1 else {
            return nil
        }
        let year = day.month <= 2 ? day.year - 1 : day.year
        let era = year / 400
        let yearOfEra = year - era * 400
        let monthFromMarch = day.month > 2 ? day.month - 3 : day.month + 9
        let dayOfYear = (153 * monthFromMarch + 2) / 5 + day.day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        let days = era * 146_097 + dayOfEra - 719_468
        return Self.day(days) == day ? days : nil
    }

    /// For example `2026-11-24 03:10 UTC`.
    static func text(_ seconds: Int64) -> String {
        let (days, rest) = seconds.dividedRoundingDown(by: 86_400)
        let minutes = rest / 60
        let day = day(Int(days))
        return "\(padded(day.year, 4))-\(padded(day.month))-\(padded(day.day)) "
            + "\(padded(Int(minutes / 60))):\(padded(Int(minutes % 60))) UTC"
    }

    private static func padded(_ number: Int, _ width: Int = 2) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }

    /// For example `2 hours ago`; `in the future` when a clock was wrong.
    static func relative(_ seconds: Int64, now: Int64) -> String {
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
    static func full(_ seconds: Int64, now: Int64) -> String {
        "\(relative(seconds, now: now)) (\(text(seconds)))"
    }
}

extension Int64 {
    /// The quotient and the remainder, which is not negative; holds for the smallest number too.
    fileprivate func dividedRoundingDown(by divisor: Int64) -> (quotient: Int64, remainder: Int64) {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }
}
