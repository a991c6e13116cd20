internal import Elements

/// Moments as S3 writes them, in seconds since 1970.
enum ServerTime {
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// `Mon, 30 Nov 2026 08:10:20 GMT` (RFC 9110, "IMF-fixdate"); nil for anything else.
    static func http(_ text: String) -> Int64? {
        let parts = text.split(separator: " ")
        guard parts.count == 6, parts[5] == "GMT" || parts[5] == "UTC",
            let month = months.firstIndex(of: String(parts[2]))
        else { return nil }
        return seconds(parts[3], "\(month + 1)", parts[1], parts[4].split(separator: ":"))
    }

    /// `2026-11-30T08:10:20.123Z` (RFC 3339 in UTC), with any digits of a fraction; nil for anything else.
    static func internet(_ text: String) -> Int64? {
        guard text.hasSuffix("Z") else { return nil }
        let halves = text.dropLast().split(separator: "T")
        guard halves.count == 2 else { return nil }
        let date = halves[0].split(separator: "-")
        let whole = halves[1].split(separator: ".", maxSplits: 1)
        guard date.count == 3, let time = whole.first else { return nil }
        return seconds(date[0], date[1], date[2], time.split(separator: ":"))
    }

    /// `20261130T081020Z` (ISO 8601, basic), as signatures have it.
    static func basic(_ seconds: Int64) -> String {
        let (days, rest) = seconds.quotientAndRemainder(dividingBy: 86_400)
        // Howard Hinnant, "chrono-compatible low-level date algorithms", civil_from_days.
        let shifted = days + 719_468
        let era = shifted / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra =
            (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        return padded(year, 4) + padded(month, 2) + padded(day, 2) + "T" + padded(rest / 3_600, 2)
            + padded(rest / 60 % 60, 2) + padded(rest % 60, 2) + "Z"
    }

    private static func padded(_ number: Int64, _ width: Int) -> String {
        let text = String(number)
        return String(repeating: "0", count: max(0, width - text.count)) + text
    }

    private static func seconds(
        _ year: some StringProtocol, _ month: some StringProtocol, _ day: some StringProtocol,
        _ time: [Substring]
    ) -> Int64? {
        guard let year = number(year, 1970...9999), let month = number(month, 1...12),
            let day = number(day, 1...31), time.count == 3, let hour = number(time[0], 0...23),
            let minute = number(time[1], 0...59), let second = number(time[2], 0...60)
        else { return nil }
        // As above, days_from_civil.
        let shiftedYear = month <= 2 ? year - 1 : year
        let era = shiftedYear / 400
        let yearOfEra = shiftedYear - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        let days = era * 146_097 + dayOfEra - 719_468
        return days * 86_400 + hour * 3_600 + minute * 60 + second
    }

    private static func number(
        _ text: some StringProtocol, _ range: ClosedRange<Int64>
    ) -> Int64? {
        guard text.utf8.allSatisfy({ (48...57).contains($0) }), let number = Int64(text),
            range.contains(number)
        else { return nil }
        return number
    }
}
