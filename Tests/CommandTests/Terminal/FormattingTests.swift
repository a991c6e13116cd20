import Cambium
import Reporting
import Testing

@testable import CambiumCommand

@Suite("Numbers and tables")
struct FormattingTests {
    @Test(
        "counts have thousands separators",
        arguments: [
            (0, "0"), (999, "999"), (1000, "1,000"), (4096, "4,096"), (1_234_567, "1,234,567"),
            (-12_345, "-12,345"), (Int.min, "-9,223,372,036,854,775,808"),
        ])
    func count(_ value: Int, _ expected: String) { #expect(Quantity.count(value) == expected) }

    @Test("errors of the disk name the next step, unless their message does")
    func diskHints() {
        let full = Failure(CambiumError(.diskFull, "mdb_txn_commit: the disk is full"))
        #expect(full.hint?.contains("free some space") == true)
        #expect(Failure(CambiumError(.diskFull, "no space left; free some space")).hint == nil)
        #expect(Failure(CambiumError(.readOnly, "cannot open use.lock")).hint != nil)
    }

    @Test("things are counted in the singular and the plural")
    func plural() {
        #expect(Quantity.count(1, "expert") == "1 expert")
        #expect(Quantity.count(0, "expert") == "0 experts")
        #expect(Quantity.count(2, "branch", "branches") == "2 branches")
    }

    @Test(
        "sizes are told in binary units",
        arguments: [
            (0, "0 bytes"), (1, "1 byte"), (1023, "1,023 bytes"), (1024, "1.0 KiB"),
            (1536, "1.5 KiB"), (11_577_896, "11.0 MiB"), (1_048_575, "1.0 MiB"),
            (1 << 40, "1.0 TiB"), (Int.max, "8.0 EiB"),
        ])
    func bytes(_ value: Int, _ expected: String) { #expect(Quantity.bytes(value) == expected) }

    @Test(
        "a share is never rounded to nothing or all",
        arguments: [
            (0, 10, "0 %"), (10, 10, "100 %"), (1, 100_000, "0.1 %"), (99_999, 100_000, "99.9 %"),
            (854, 1000, "85.4 %"), (0, 0, "0 %"),
        ])
    func share(_ part: Int, _ whole: Int, _ expected: String) {
        #expect(Quantity.share(part, of: whole) == expected)
    }

    @Test(
        "recorded numbers are as they are, without digits that nobody reads",
        arguments: [
            (30, "30"), (0.93, "0.93"), (7.67553799500364, "7.67554"), (-1, "-1"),
            (1e300, "1e+300"),
            (0.0001234567890123, "0.000123457"), (0.12345678901, "0.123457"),
            (123_456.789012, "123457"), (1_234_567, "1234567"), (0.1 + 0.2, "0.3"),
            (0.9999996, "1"), (-2.5e-7, "-2.5e-07"), (0, "0"), (.nan, "nan"), (.infinity, "inf"),
        ])
    func recorded(_ value: Double, _ expected: String) {
        #expect(Quantity.recorded(value) == expected)
    }

    @Test("decimals are fixed")
    func fixed() {
        #expect(Quantity.fixed(2.14904, 4) == "2.1490")
        #expect(Quantity.fixed(0.05, 1) == "0.1")
        #expect(Quantity.fixed(-0.001, 2) == "0.00")
        #expect(Quantity.fixed(-1.5, 1) == "-1.5")
        #expect(Quantity.fixed(7.6, 0) == "8")
        #expect(Quantity.fixed(.nan, 2) == "nan")
        #expect(Quantity.fixed(.infinity, 2) == "inf")
    }

    @Test(
        "about four digits are significant",
        arguments: [
            (0, "0"), (58.0, "58.00"), (0.4343, "0.4343"), (0.001234, "0.001234"),
            (123.45, "123.5"), (1.5e-7, "1.50e-7"), (2.5e9, "2.50e9"), (9.999e-5, "1.00e-4"),
        ])
    func significant(_ value: Double, _ expected: String) {
        #expect(Quantity.significant(value) == expected)
    }

    @Test("runs of numbers are drawn together")
    func ranges() {
        #expect(Quantity.ranges([0, 1, 2, 5, 7, 8]) == "0-2, 5, 7-8")
        #expect(Quantity.ranges([]) == "")
    }

    @Test("columns are aligned and lines end without spaces")
    func table() {
        var table = TextTable([.left, .right, .left])
        table.add(["a", "10", "x"])
        table.add(["long", "9"])
        #expect(table.lines() == ["a     10  x", "long   9"])
        #expect(table.lines(indent: 2) == ["  a     10  x", "  long   9"])
        #expect(TextTable([.left]).lines().isEmpty)
    }

    @Test("colour codes take no room in a table")
    func colouredTable() {
        var table = TextTable([.left, .left])
        table.add([Style(isColored: true, isUnicode: true).good("ab"), "x"])
        table.add(["abc", "y"])
        #expect(table.lines().map(VisibleText.of) == ["\u{1B}[32mab\u{1B}[0m   x", "abc  y"])
    }

    @Test("a progress line shows share and time and fits the terminal")
    func progress() {
        let line = ProgressLine(title: "windows", done: 3, total: 4, elapsed: .seconds(63))
        #expect(line.bar(width: 80) == "windows [######################--------] 75 %  1:03")
        #expect(line.bar(width: 30).count < 30)
        #expect(line.bar(width: 10) == "windows 7")
        let empty = ProgressLine(title: "t", done: 0, total: 0, elapsed: .zero)
        #expect(empty.bar(width: 22) == "t [------] 0 %  0:00")
    }

    @Test("plain style writes no escape codes")
    func style() {
        #expect(Style.plain.bad("x") == "x")
        let coloured = Style(isColored: true, isUnicode: true).id("x")
        #expect(VisibleText.of(coloured) == "\u{1B}[33mx\u{1B}[0m")
    }
}
