internal import Elements

/// The moment that a template may ask for by `strftime_now`.
package struct TemplateClock: Sendable {
    private let seconds: Int

    /// - Parameter seconds: Since 1970-01-01 00:00, as a clock on the wall shows it.
    package init(seconds: Int) { self.seconds = min(max(seconds, 0), 250_000_000_000) }

    private static let months = [
        "January", "February", "March", "April", "May", "June", "July", "August", "September",
        "October", "November", "December",
    ]
    private static let days = [
        "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday",
    ]

    func text(_ form: Text, _ interpreter: Interpreter) throws -> Text {
        try interpreter.spend(Cost.part + form.count, each: Cost.element)
        let days = seconds / 86_400
        let date = Self.date(days)
        let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60)
        let weekday = (days + 4) % 7
        func padded(_ number: Int, _ width: Int = 2, with fill: Character = "0") -> String {
            let text = "\(number)"
            return String(repeating: fill, count: max(0, width - text.count)) + text
        }
        var result = ""
        var rest = form.scalars[...]
        while let scalar = rest.popFirst() {
            guard scalar == "%", var letter = rest.popFirst() else {
                result.unicodeScalars.append(scalar)
                continue
            }
            // The C library's form without zeros in front.
            let isBare = letter == "-"
            if isBare { letter = rest.popFirst() ?? "-" }
            var part: String
            switch letter {
            case "Y": part = "\(date.year)"
            case "y": part = padded(date.year % 100)
            case "m": part = padded(date.month)
            case "d": part = padded(date.day)
            case "e": part = padded(date.day, with: " ")
            case "B": part = Self.months[date.month - 1]
            case "b", "h": part = String(Self.months[date.month - 1].prefix(3))
            case "A": part = Self.days[weekday]
            case "a": part = String(Self.days[weekday].prefix(3))
            case "H": part = padded(hour)
            case "I": part = padded((hour + 11) % 12 + 1)
            case "M": part = padded(minute)
            case "S": part = padded(second)
            case "p": part = hour < 12 ? "AM" : "PM"
            case "j": part = padded(date.dayOfYear, 3)
            case "w": part = "\(weekday)"
            case "u": part = "\((weekday + 6) % 7 + 1)"
            case "F": part = "\(date.year)-\(padded(date.month))-\(padded(date.day))"
            case "T": part = "\(padded(hour)):\(padded(minute)):\(padded(second))"
            case "%": part = "%"
            default: throw interpreter.refusal("%\(letter) of strftime_now")
            }
            if isBare {
                let bare = part.drop { $0 == "0" || $0 == " " }
                part = bare.isEmpty ? "0" : String(bare)
            }
            result += part
        }
        return Text(result)
    }

    /// The day of the Gregorian calendar so many days behind the first of 1970.
    private static func date(_ days: Int) -> (year: Int, month: Int, day: Int, dayOfYear: Int) {
        var (year, rest) = (1970, days)
        func isLeap(_ year: Int) -> Bool { year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) }
        // 400 years have 146,097 days.
        year += rest / 146_097 * 400
        rest %= 146_097
        while rest >= (isLeap(year) ? 366 : 365) {
            rest -= isLeap(year) ? 366 : 365
            year += 1
        }
        let dayOfYear = rest + 1
        var month = 0
        let lengths = [31, isLeap(year) ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        while rest >= lengths[month] {
            rest -= lengths[month]
            month += 1
        }
        return (year, month + 1, rest + 1, dayOfYear)
    }
}
