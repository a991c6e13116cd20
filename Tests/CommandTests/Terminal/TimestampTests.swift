import Reporting
import Testing

@testable import CambiumCommand

@Suite("Times")
struct TimestampTests {
    @Test(
        "seconds become a date and a time in UTC",
        arguments: [
            (0, "1970-01-01 00:00 UTC"), (1_795_489_800, "2026-11-24 03:10 UTC"),
            (951_782_400, "2000-02-29 00:00 UTC"), (4_107_542_399, "2100-02-28 23:59 UTC"),
            (4_107_542_400, "2100-03-01 00:00 UTC"), (-1, "1969-12-31 23:59 UTC"),
            (-11_676_096_000, "1600-01-01 00:00 UTC"), (253_402_300_799, "9999-12-31 23:59 UTC"),
        ] as [(Int64, String)])
    func text(_ seconds: Int64, _ expected: String) {
        #expect(Timestamp.text(seconds) == expected)
    }

    // A clock that is wrong must not end every `log` of the store.
    @Test("no time is too early or too late to be shown", arguments: [Int64.min, .max])
    func extremes(_ seconds: Int64) {
        #expect(Timestamp.full(seconds, now: 0).hasSuffix(" UTC)"))
    }

    @Test("every day of eight centuries goes back and forth")
    func roundTrip() {
        for days in stride(from: Int64(-135_000), through: 146_097, by: 1) {
            let text = Timestamp.text(days * 86_400)
            let found = Moment.parse(String(text.dropLast(4)), now: 0)
            if found != days * 86_400 { Issue.record("\(text) becomes \(found ?? .min)") }
        }
    }

    @Test(
        "an age is told in its largest unit",
        arguments: [
            (0, "just now"), (59, "just now"), (60, "1 minute ago"), (3599, "59 minutes ago"),
            (7200, "2 hours ago"), (86_400, "1 day ago"), (6 * 86_400, "6 days ago"),
            (7 * 86_400, "1 week ago"), (45 * 86_400, "1 month ago"), (800 * 86_400, "2 years ago"),
            (-30, "just now"), (-3600, "in the future"),
        ] as [(Int64, String)])
    func age(_ seconds: Int64, _ expected: String) {
        #expect(Timestamp.relative(1_000_000_000 - seconds, now: 1_000_000_000) == expected)
    }

    @Test("ages at the ends of the number range do not trap")
    func extremes() {
        #expect(Timestamp.relative(.min, now: .max) == "long ago")
        #expect(Timestamp.relative(.max, now: .min) == "in the future")
    }
}

@Suite("Gram sums")
struct GramTests {
    private let now: Int64 = 1_795_489_800

    @Test(
        "dates, ages and seconds are understood",
        arguments: [
            ("2026-11-24", 1_795_478_400), ("2026-11-24 03:10", 1_795_489_800),
            ("2026-11-24T03:10:05Z", 1_795_489_805), ("1795489800", 1_795_489_800),
            ("2 days", 1_795_317_000), ("2 days ago", 1_795_317_000), ("3h", 1_795_479_000),
            ("yesterday", 1_795_403_400), ("now", 1_795_489_800), ("1 week", 1_794_885_000),
        ] as [(String, Int64)])
    func parsed(_ text: String, _ expected: Int64) {
        #expect(Moment.parse(text, now: now) == expected)
    }

    @Test(
        "anything else is refused",
        arguments: [
            "", "soon", "2026-13-01", "2026-02-30", "2100-02-29", "2026-04-31", "2026-01-0",
            "0000-01-01", "2026-11-24 24:00", "2026-11-24 25:00", "2026-11-24 03:61",
            "2 dogs",
            "-5", "26-11-24", "99999999999999999999 days", "2026-11-24 1", "2026-11-24 03:10 x",
        ])
    func refused(_ text: String) { #expect(Moment.parse(text, now: now) == nil) }

    @Test(
        "durations have units, but 0 needs none",
        arguments: [
            ("14d", 1_209_600), ("12h", 43_200), ("0", 0), ("0d", 0), ("2 weeks", 1_209_600),
            ("90s", 90), ("5m", 300),
        ] as [(String, Int64)])
    func durations(_ text: String, _ expected: Int64) {
        #expect(Moment.duration(text) == expected)
    }

    @Test("a bare number is no duration", arguments: ["14", "d", "-1d", "1.5d"])
    func noDuration(_ text: String) { #expect(Moment.duration(text) == nil) }
}
