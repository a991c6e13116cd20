internal import Elements

/// The members of a JSON object, read with checks that name the field.
///
/// A field that is left out has the default of its architecture, if there is one. A field that is null is not left
/// out: it is refused, unless null has a meaning of its own.
struct ConfigFields {
    /// The largest config.json that is read.
    private static let largestFile = 1 << 20

    private let members: [String: JSONValue]
    private let defaults: [String: JSONValue]
    /// What is read, for messages: "config", or another file's name.
    private let source: String
    /// Of an object inside another, its name and a full stop.
    private let path: String

    private enum Found {
        case absent
        case null(String)
        case value(String, JSONValue)
    }

    /// - Parameter file: Its name.
    /// - Throws: `.badConfig` when the bytes are no JSON object, `.duplicateName` for equal keys in one object.
    init(json: [UInt8], file: String = "config.json") throws {
        guard json.count <= Self.largestFile else {
            throw CambiumError(
                .badConfig, "\(file) has \(json.count) bytes; more than \(Self.largestFile)")
        }
        let value = try JSONValue(parsing: json, source: file, code: .badConfig)
        guard let members = value.object else {
            throw CambiumError(.badConfig, "\(file) is not a JSON object")
        }
        self.init(members, [:], file == "config.json" ? "config" : file, path: "")
    }

    private init(
        _ members: [String: JSONValue], _ defaults: [String: JSONValue], _ source: String,
        path: String
    ) {
        self.members = members
        self.defaults = defaults
        self.source = source
        self.path = path
    }

    /// The same, with what fields are when they are left out.
    func with(defaults: [String: JSONValue]) -> ConfigFields {
        ConfigFields(members, defaults, source, path: path)
    }

    /// Whether any of the spellings is there, or has a default, and is not null.
    func has(_ names: String...) -> Bool {
        if case .value = find(names) { true } else { false }
    }

    /// Whether the field itself is there, null or not.
    func states(_ name: String) -> Bool { members[name] != nil }

    /// The names of all members.
    var names: [String] { members.keys.sorted() }

    /// The names of members that are objects themselves.
    var objects: [String] {
        members.filter { $0.value.object != nil }.keys.sorted()
    }

    /// Whether there are members.
    var isEmpty: Bool { members.isEmpty }

    /// An object inside this one, or nil; where it is null as where it is left out.
    func object(_ name: String) throws -> ConfigFields? {
        let stated = members[name].flatMap { $0 == .null ? nil : $0 }
        guard let value = stated ?? defaults[name], value != .null else { return nil }
        guard let members = value.object else { throw mistyped(name, "an object") }
        return ConfigFields(members, [:], source, path: path + name + ".")
    }

    /// An object inside this one that is not there.
    func none(_ name: String) -> ConfigFields {
        ConfigFields([:], [:], source, path: path + name + ".")
    }

    /// A whole number in a range; of several spellings the first that is there, which the others must not
    /// contradict.
    ///
    /// - Parameter otherwise: Where it is null, or left out without a default.
    /// - Throws: `.badConfig` when it is missing, null, mistyped, contradicted or out of range.
    func whole(
        _ names: String..., in range: ClosedRange<Int> = Int.min...Int.max, otherwise: Int? = nil
    ) throws -> Int {
        try whole(names, in: range, otherwise: otherwise)
    }

    /// As ``whole(_:in:otherwise:)-(String...,_,_)``.
    func whole(
        _ names: [String], in range: ClosedRange<Int>, otherwise: Int? = nil
    ) throws -> Int {
        var found: (name: String, value: Int)?
        for name in names {
            guard let value = members[name], value != .null else { continue }
            let whole = try whole(name, value)
            if let found, found.value != whole {
                throw contradiction(found.name, found.value, name, whole)
            }
            found = found ?? (name, whole)
        }
        if found == nil {
            switch find(names) {
            case .value(let name, let value): found = (name, try whole(name, value))
            case .null(let name):
                guard let otherwise else { throw null(name) }
                return otherwise
            case .absent:
                guard let otherwise else { throw missing(names) }
                return otherwise
            }
        }
        guard let found else { throw missing(names) }
        guard range.contains(found.value) else {
            throw Self.outOfRange("\(source) \(path)\(found.name)", found.value, range)
        }
        return found.value
    }

    private func whole(_ name: String, _ value: JSONValue) throws -> Int {
        guard let whole = value.whole else { throw mistyped(name, "a whole number") }
        return whole
    }

    /// A whole number in a range, or nil where it is null, or left out without a default.
    func optionalWhole(
        _ name: String, in range: ClosedRange<Int>
    ) throws -> Int? {
        has(name) ? try whole(name, in: range) : nil
    }

    /// A number in a range.
    ///
    /// - Parameter otherwise: Where it is null, or left out without a default.
    func number(
        _ name: String, in range: ClosedRange<Double>, otherwise: Double? = nil
    ) throws -> Double {
        switch find([name]) {
        case .null:
            guard let otherwise else { throw null(name) }
            return otherwise
        case .absent:
            guard let otherwise else { throw missing([name]) }
            return otherwise
        case .value(_, let value):
            guard let number = value.number, number.isFinite else {
                throw mistyped(name, "a finite number")
            }
            guard range.contains(number) else {
                throw CambiumError(
                    .badConfig,
                    "\(source) \(path)\(name) is \(number); it must be \(range.lowerBound) to "
                        + "\(range.upperBound)")
            }
            return number
        }
    }

    /// - Parameter otherwise: Where it is left out without a default.
    func flag(_ name: String, otherwise: Bool? = nil) throws -> Bool {
        switch find([name]) {
        case .null: throw null(name)
        case .absent:
            guard let otherwise else { throw missing([name]) }
            return otherwise
        case .value(_, .bool(let flag)): return flag
        case .value: throw mistyped(name, "true or false")
        }
    }

    /// A text, of several spellings any, which must be the same; nil without.
    func text(_ names: String...) throws -> String? {
        var found: (name: String, text: String)?
        for name in names {
            guard case .value(_, let value) = find([name]) else { continue }
            guard let text = value.string else { throw mistyped(name, "a text") }
            if let found, found.text != text {
                throw contradiction(found.name, found.text, name, text)
            }
            found = (name, text)
        }
        return found?.text
    }

    /// Whole numbers: of a list, or one alone; nil where it is null, or left out without a default.
    func wholes(_ name: String, in range: ClosedRange<Int>) throws -> [Int]? {
        guard case .value(_, let value) = find([name]) else { return nil }
        let values = (value.array ?? [value]).map { value in
            value.whole.flatMap { range.contains($0) ? $0 : nil }
        }
        return try all(values) {
            mistyped(name, "whole numbers from \(range.lowerBound) to \(range.upperBound)")
        }
    }

    /// A list of whole numbers, which must be there.
    func list(_ name: String) throws -> [Int] {
        guard case .value(_, let value) = find([name]) else { throw absent(name) }
        return try all(value.array?.map(\.whole)) { mistyped(name, "a list of whole numbers") }
    }

    func texts(_ name: String) throws -> [String]? {
        guard case .value(_, let value) = find([name]) else { return nil }
        return try all(value.array?.map(\.string)) { mistyped(name, "a list of texts") }
    }

    private func all<Element>(
        _ elements: [Element?]?, otherwise: () -> CambiumError
    ) throws -> [Element] {
        let found = elements?.compactMap(\.self)
        guard let found, found.count == elements?.count else { throw otherwise() }
        return found
    }

    private func find(_ names: [String]) -> Found {
        var isNull: String?
        for values in [members, defaults] {
            for name in names {
                guard let value = values[name] else { continue }
                guard value == .null else { return .value(name, value) }
                isNull = isNull ?? name
            }
            if let isNull { return .null(isNull) }
        }
        return .absent
    }

    static func outOfRange(
        _ field: String, _ value: Int, _ range: ClosedRange<Int>
    ) -> CambiumError {
        let allowed =
            range.lowerBound == range.upperBound
            ? "\(range.lowerBound)" : "\(range.lowerBound) to \(range.upperBound)"
        return CambiumError(.badConfig, "\(field) is \(value); it must be \(allowed)")
    }

    private func mistyped(_ name: String, _ wanted: String) -> CambiumError {
        CambiumError(.badConfig, "\(source) field \(path)\(name) is not \(wanted)")
    }

    private func null(_ name: String) -> CambiumError {
        CambiumError(
            .badConfig,
            "\(source) field \(path)\(name) is null, which says nothing there; "
                + (defaults[name] == nil ? "" : "leave it out for the architecture's default, or ")
                + "give its value")
    }

    /// Of a field that has to be there and is not, or is null.
    func absent(_ name: String) -> CambiumError { states(name) ? null(name) : missing([name]) }

    private func missing(_ names: [String]) -> CambiumError {
        CambiumError(
            .badConfig,
            "\(source) field \(path)\(names[0]) is missing"
                + (names.count == 1 ? "" : " (or \(names.dropFirst().joined(separator: ", ")))"))
    }

    /// Of two fields that cannot both hold.
    func contradiction(
        _ one: String, _ value: some CustomStringConvertible, _ other: String,
        _ otherValue: some CustomStringConvertible
    ) -> CambiumError {
        CambiumError(
            .badConfig,
            "\(source) contradicts itself: \(path)\(one) is \(value), \(path)\(other) is \(otherValue)"
        )
    }
}
