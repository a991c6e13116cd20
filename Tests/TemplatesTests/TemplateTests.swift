import Elements
import Testing

@testable import Templates

@Suite("Templates")
struct TemplateTests {
    private static func text(_ source: String, _ variables: [(String, TemplateData)] = []) throws
        -> String
    { try Template(source).render(variables, clock: Golden.clock, work: 300_000) }

    private static func failure(_ source: String) -> CambiumError? {
        do {
            _ = try text(source)
            return nil
        } catch { return error as? CambiumError }
    }

    @Test(
        "what is not done is refused by name, when it is used",
        arguments: [
            ("{% include 'x' %}", "{% include %}"), ("{% extends 'x' %}", "{% extends %}"),
            ("{% for x in [1] recursive %}{% endfor %}", "recursive loops"),
            ("{{ 'a'|escape }}", "'escape'"), ("{{ 'a'.encode() }}", "'encode'"),
            ("{{ 2 ** 64 }}", "64 bits"), ("{{ 9999999999999999999999 }}", "64 bits"),
            ("{{ cycler(1) }}", "cycler"), ("{{ 'a'|safe + 'b' }}", "safe"),
        ])
    func refused(_ source: String, _ name: String) throws {
        let error = try #require(Self.failure(source))
        #expect(error.code == .unsupported && error.message.contains(name), "\(error)")
        if source.hasPrefix("{{"), !source.contains("999") {
            #expect(try Self.text("{% if false %}\(source){% endif %}ok") == "ok")
        }
    }

    @Test(
        "a fault is told with its line",
        arguments: [
            ("a\n{{ b", 2), ("\n\n{% if %}{% endif %}", 3), ("{% for x in y %}\n", 1),
            ("\n{{ x.y }}", 2), ("{% macro m() %}\n{{ 1 + 'a' }}{% endmacro %}\n\n{{ m() }}", 2),
            ("\n{{ nothing() }}", 2), ("{{ 1|nofilter }}", 1), ("{% endif %}", 1), ("{# ", 1),
            ("{% break %}", 1), ("{{ [1, 2 }}", 1), ("\n{{ 'a\n }}", 2), ("{% set 1 = 2 %}", 1),
            ("{{ {} < {} }}", 1), ("{{ range(1, 2, 0) }}", 1), ("{% set x.y = 1 %}", 1),
        ])
    func faults(_ source: String, _ line: Int) throws {
        let error = try #require(Self.failure(source))
        #expect(error.code == .badTokenizer && error.message.hasPrefix("line \(line):"), "\(error)")
    }

    @Test("raise_exception says why a conversation is refused")
    func raise() throws {
        let error = try #require(Self.failure("\n{{ raise_exception('roles must alternate') }}"))
        #expect(error.code == .badInput)
        #expect(error.message.contains("line 2") && error.message.contains("roles must alternate"))
    }

    @Test(
        "what would run away is stopped",
        arguments: [
            "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
            "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
            "{% set ns = namespace(s='ab') %}{% for i in range(99) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
            "{% set ns = namespace(l=[]) %}{% for i in range(99999) %}{% set ns.l = [ns.l] %}{% endfor %}",
            "{% set ns = namespace(l=[1]) %}{% for i in range(99) %}{% set ns.l = ns.l + ns.l %}{% endfor %}",
            "{% set ns = namespace(l=[1]) %}{% for i in range(90) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ ns.l }}",
            "{% set ns = namespace(l=[1]) %}{% for i in range(90) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ ns.l|tojson }}",
            "{% set ns = namespace(l=[1], m=[1]) %}{% for i in range(90) %}{% set ns.l = [ns.l, ns.l] %}{% set ns.m = [ns.m, ns.m] %}{% endfor %}{{ ns.l == ns.m }}",
            "{{ 'a' * 999999999999 }}", "{{ range(999999999) }}", "{{ 'a'|indent(999999999) }}",
            "{{ [1]|tojson(indent=999999999) }}", "{{ '%999999999s' % 'a' }}",
            "{{ ('a' * 9999).replace('', 'b' * 99999) }}", "{{ 'a'.zfill(999999999) }}",
            "{% for i in range(100000) %}{{ 'a' * 1000 }}{% endfor %}",
            "{{ 'a'|indent(9223372036854775807) }}", "{{ [1]|tojson(indent=9223372036854775807) }}",
            "{{ [1]|slice(9223372036854775807)|list }}",
            "{% set ns = namespace(d={}) %}{% for i in range(300) %}{% set ns.d = dict(ns.d, **{i|string: i}) %}{% endfor %}",
            "{% set x = [0] * 50000 %}", "{% set x = ('a ' * 50000).split() %}",
            "{% set x = range(50000)|unique|list %}", "{% set x = ('a' * 50000)|list %}",
            "{% for i in range(20) %}{% set x = '%.300f' % 5e-324 %}{% endfor %}",
            "{% set x = ('a' * 1000).startswith(('a' * 1000,) * 1000) %}",
            "{{ 'a'|center(2000000) }}", "{{ 'a'.rjust(9223372036854775807) }}",
            "{{ [1]|batch(9223372036854775807, 1)|list }}",
            "{{ [1, 2]|tojson(separators=('x' * 200000, ':')) }}",
            "{{ {'x' * 200000: 1}|tojson }}", "{{ '%(a)s%(a)s' % {'a': 'x' * 200000} }}",
        ])
    func bounds(_ source: String) throws {
        let error = try #require(Self.failure(source))
        #expect(error.code == .tooHard || error.code == .unsupported, "\(error)")
    }

    @Test("a width below nothing adds nothing")
    func widths() throws {
        let least = "-9223372036854775807 - 1"
        for source in [
            "'a'.ljust(\(least))", "'a'.rjust(\(least))", "'a'.center(\(least))",
            "'a'.zfill(\(least))", "'a'|center(\(least))",
        ] { #expect(try Self.text("{{ \(source) }}") == "a") }
        #expect(try Self.text("{{ '-1'.zfill(\(least)) }}") == "-1")
    }

    @Test("deep nesting is refused, not run into")
    func nesting() throws {
        let deep = 1000
        for source in [
            "{{ " + String(repeating: "(", count: deep) + "1"
                + String(repeating: ")", count: deep) + " }}",
            "{{ 1" + String(repeating: " if 1 else 1", count: 61) + " }}",
            "{{ " + String(repeating: "not ", count: 61) + "1 }}",
            "{{ " + String(repeating: "-", count: 61) + "1 }}",
            "{{ " + String(repeating: "[", count: deep) + String(repeating: "]", count: deep)
                + " }}",
            "{{ " + String(repeating: "-", count: deep) + "1 }}",
            "{{ " + String(repeating: "not ", count: deep) + "1 }}",
            "{{ 1" + String(repeating: " + 1", count: deep) + " }}",
            "{{ a" + String(repeating: ".b", count: deep) + " }}",
            "{{ a" + String(repeating: "|trim", count: deep) + " }}",
            "{{ 1" + String(repeating: " if 1 else 1", count: deep) + " }}",
            String(repeating: "{% if 1 %}", count: deep),
            String(repeating: "{% for a in b %}", count: deep),
        ] { #expect(Self.failure(source)?.code == .tooHard, "\(source.prefix(12))") }
    }

    @Test("damaged templates are errors, never traps")
    func damaged() throws {
        let golden = try Golden()
        let messages = try #require(golden.data["conversations"]?["answered"])
        var random = SystemRandomNumberGenerator()
        var seeded = Seeded(seed: UInt64.random(in: 0..<1 << 32, using: &random))
        let seed = seeded.state
        for name in Golden.families {
            let source = Array(try Golden.family(name).unicodeScalars)
            for _ in 0..<12 {
                var damaged = source
                for _ in 0..<Int.random(in: 1...4, using: &seeded) {
                    let place = Int.random(in: 0..<damaged.count, using: &seeded)
                    switch Int.random(in: 0..<3, using: &seeded) {
                    case 0: damaged.remove(at: place)
                    case 1: damaged.insert(source.randomElement(using: &seeded) ?? "{", at: place)
                    default:
                        let end = min(damaged.count, place + Int.random(in: 1...40, using: &seeded))
                        damaged.replaceSubrange(place..<end, with: [])
                    }
                    if damaged.isEmpty { damaged = ["{"] }
                }
                do {
                    _ = try Self.text(Text(damaged).string, [("messages", messages)])
                } catch { #expect(error is CambiumError, "seed \(seed): \(error)") }
            }
        }
    }

    @Test("strings are counted, cut and compared by scalars")
    func scalars() throws {
        let two = TemplateData.string("e\u{301}")
        #expect(try Self.text("{{ x|length }}{{ x[0] }}{{ x == 'é' }}", [("x", two)]) == "2eFalse")
    }

    @Test("the date is the clock's")
    func date() throws {
        #expect(
            try Self.text("{{ strftime_now('%Y-%m-%d %H:%M:%S %A %-d %B %j %p %I %y %a %b %%') }}")
                == "2026-09-21 14:13:20 Monday 21 September 264 PM 02 26 Mon Sep %")
    }
}

/// Numbers that a seed gives.
struct Seeded: RandomNumberGenerator {
    private(set) var state: UInt64
    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = (state ^ state >> 30) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
        return z ^ z >> 31
    }
}
