internal import FoundationEssentials

/// A moment or a duration, as a user writes it.
enum Moment {
    /// Reads `2026-11-01`, `2026-11-01 03:10` (UTC), `2 days`, `3h ago`, `yesterday`, or seconds
    /// since 1970.
    ///
    /// - Returns: Seconds since 1970; nil for anything else.
    static func parse(_ text: String, now: Int64) -> Int64? {
        let words = text.lowercased()
        switch words {
        case "now": return now
        case "yesterday": return now - 86_400
        default: break
        }
        if let seconds = Int64(words), seconds >= 0 { return seconds }
        if let date = date(words) { return date }
        let span = words.hasSuffix(" ago") ? String(words.dropLast(4)) : words
        return duration(span).flatMap { seconds in
            let (moment, overflow) = now.subtractingReportingOverflow(seconds)
            return overflow ? nil : moment
        }
    }

    /// Reads `14d`, `12h`, `2 weeks` or `0`; units are s, m(in), h, d, w, month(s), y.
    ///
    /// - Returns: Seconds; nil for anything else. A number without a unit must be 0.
    static func duration(_ text: String) -> Int64? {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        guard let number = Int64(digits) else { return nil }
        let unit = text.dropFirst(digits.count).drop { $0 == " " }
        let length: Int64
        switch unit {
        case "" where number == 0: return 0
        case "s", "sec", "secs", "second", "seconds": length = 1
        case "m", "min", "mins", "minute", "minutes": length = 60
        case "h", "hour", "hours": length = 3600
        case "d", "day", "days": length = 86_400
        case "w", "week", "weeks": length = 7 * 86_400
        case "month", "months": length = 30 * 86_400
        case "y", "year", "years": length = 365 * 86_400
        default: return nil
        }
        let (seconds, overflow) = number.multipliedReportingOverflow(by: length)
        return overflow ? nil : seconds
    }

    private static func date(_ text: String) -> Int64? {
        let parts = text.split { $0 == " " || $0 == "t" }
        guard (1...2).contains(parts.count) else { return nil }
        let day = parts[0].split(separator: "-", omittingEmptySubsequences: false)
        // Foundation takes the greatest number for none at all.
        let numbers = day.compactMap { UInt16($0) }.map(Int.init)
        guard numbers.count == 3, day.count == 3, day[0].count == 4 else { return nil }
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = .gmt
        var date = DateComponents(
            calendar: calendar, year: numbers[0], month: numbers[1], day: numbers[2])
        if parts.count == 2 {
            let clock = (parts[1].hasSuffix("z") ? parts[1].dropLast() : parts[1])
                .split(separator: ":", omittingEmptySubsequences: false)
            let numbers = clock.compactMap { UInt8($0) }.map(Int.init)
            guard (2...3).contains(clock.count), numbers.count == clock.count else { return nil }
            (date.hour, date.minute) = (numbers[0], numbers[1])
            date.second = numbers.count == 3 ? numbers[2] : 0
        }
        guard date.isValidDate else { return nil }
        return date.date.map { Int64($0.timeIntervalSince1970) }
    }
}
