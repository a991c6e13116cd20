/// A set of characters: a table for the basic plane, a rule for the others.
struct CharacterClass: Sendable {
    /// What is in a class; any part suffices.
    struct Rule: Sendable, Hashable {
        /// One bit for each general category.
        var categories: UInt32 = 0
        var ranges: [ClosedRange<UInt32>] = []
        /// White_Space.
        var hasSpace = false
        /// Everything else than White_Space.
        var hasNonSpace = false
        var isNegated = false

        func contains(_ scalar: Unicode.Scalar) -> Bool {
            var found = false
            for range in ranges where range.contains(scalar.value) { found = true }
            if !found && categories != 0 {
                found = categories >> Categories.number(scalar) & 1 != 0
            }
            if !found && (hasSpace || hasNonSpace) {
                found = scalar.properties.isWhitespace ? hasSpace : hasNonSpace
            }
            return found != isNegated
        }
    }

    private let rule: Rule
    /// One bit for each scalar below U+10000.
    private let table: [UInt64]

    init(_ rule: Rule) {
        self.rule = rule
        var table = [UInt64](repeating: 0, count: 1024)
        func add(_ other: [UInt64], flipping mask: UInt64 = 0) {
            for word in 0..<1024 { table[word] |= other[word] ^ mask }
        }
        for (number, part) in Categories.tables.enumerated()
        where rule.categories >> UInt32(number) & 1 != 0 {
            add(part)
        }
        for range in rule.ranges where range.lowerBound < 0x10000 {
            for value in range.lowerBound...min(range.upperBound, 0xFFFF) {
                table[Int(value >> 6)] |= 1 << UInt64(value & 63)
            }
        }
        if rule.hasSpace { add(Categories.spaces) }
        if rule.hasNonSpace { add(Categories.spaces, flipping: .max) }
        if rule.isNegated { for word in 0..<1024 { table[word] = ~table[word] } }
        self.table = table
    }

    @inline(__always)
    func contains(_ scalar: UInt32) -> Bool {
        if scalar < 0x10000 { return table[Int(scalar >> 6)] >> UInt64(scalar & 63) & 1 != 0 }
        return Unicode.Scalar(scalar).map { rule.contains($0) } ?? false
    }
}

/// Unicode's general categories as bits.
enum Categories {
    static let all: [(name: String, category: Unicode.GeneralCategory)] = [
        ("Lu", .uppercaseLetter), ("Ll", .lowercaseLetter), ("Lt", .titlecaseLetter),
        ("Lm", .modifierLetter), ("Lo", .otherLetter), ("Mn", .nonspacingMark),
        ("Mc", .spacingMark), ("Me", .enclosingMark), ("Nd", .decimalNumber),
        ("Nl", .letterNumber), ("No", .otherNumber), ("Pc", .connectorPunctuation),
        ("Pd", .dashPunctuation), ("Ps", .openPunctuation), ("Pe", .closePunctuation),
        ("Pi", .initialPunctuation), ("Pf", .finalPunctuation), ("Po", .otherPunctuation),
        ("Sm", .mathSymbol), ("Sc", .currencySymbol), ("Sk", .modifierSymbol),
        ("So", .otherSymbol), ("Zs", .spaceSeparator), ("Zl", .lineSeparator),
        ("Zp", .paragraphSeparator), ("Cc", .control), ("Cf", .format), ("Cs", .surrogate),
        ("Co", .privateUse), ("Cn", .unassigned),
    ]

    private static let numbers: [Unicode.GeneralCategory: UInt32] = Dictionary(
        uniqueKeysWithValues: all.enumerated().map { ($1.category, UInt32($0)) })

    /// One bit for each scalar of the basic plane, for each category.
    static let tables: [[UInt64]] = {
        var tables = [[UInt64]](repeating: [UInt64](repeating: 0, count: 1024), count: all.count)
        for value in UInt32(0)..<0x10000 {
            guard let scalar = Unicode.Scalar(value) else { continue }
            tables[Int(number(scalar))][Int(value >> 6)] |= 1 << UInt64(value & 63)
        }
        return tables
    }()

    /// One bit for each scalar of the basic plane that is White_Space.
    static let spaces: [UInt64] = {
        var table = [UInt64](repeating: 0, count: 1024)
        for value in UInt32(0)..<0x10000
        where Unicode.Scalar(value)?.properties.isWhitespace == true {
            table[Int(value >> 6)] |= 1 << UInt64(value & 63)
        }
        return table
    }()

    static func number(_ scalar: Unicode.Scalar) -> UInt32 {
        numbers[scalar.properties.generalCategory] ?? 0
    }

    /// The bits of a category ("Lu"), or of all whose names start with a letter ("L"); nil for
    /// another name.
    static func mask(_ name: String) -> UInt32? {
        guard name.count <= 2, !name.isEmpty else { return nil }
        var mask: UInt32 = 0
        for (number, entry) in all.enumerated()
        where entry.name == name || (name.count == 1 && entry.name.hasPrefix(name)) {
            mask |= 1 << UInt32(number)
        }
        return mask == 0 ? nil : mask
    }
}
