internal import FoundationEssentials

/// A value of a config.json, before any check.
enum ConfigValue: Decodable {
    case null
    case bool(Bool)
    case number(Double)
    case string(String)
    case array([ConfigValue])
    case object([String: ConfigValue])

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let value = try? container.decode(Bool.self) {
            self = .bool(value)
        } else if let value = try? container.decode(Double.self) {
            self = .number(value)
        } else if let value = try? container.decode(String.self) {
            self = .string(value)
        } else if let value = try? container.decode([ConfigValue].self) {
            self = .array(value)
        } else {
            self = .object(try container.decode([String: ConfigValue].self))
        }
    }
}

/// The members of a JSON object, read with checks that name the field.
struct ConfigFields {
    /// The largest config.json that is read.
    private static let largestFile = 1 << 20

    private let members: [String: ConfigValue]
    /// Of an object inside another, its name and a full stop.
    private let path: String

    /// - Throws: `.badConfig` when the bytes are no JSON object.
    init(json: [UInt8]) throws(ModelError) {
        guard json.count <= Self.largestFile else {
            throw ModelError(
                .badConfig, "config.json has \(json.count) bytes; more than \(Self.largestFile)")
        }
        guard let members = try? JSONDecoder().decode([String: ConfigValue].self, from: Data(json))
        else { throw ModelError(.badConfig, "config.json is not a JSON object") }
        self.init(members, path: "")
    }

    private init(_ members: [String: ConfigValue], path: String) {
        self.members = members
        self.path = path
    }

    /// Whether any of the spellings is there and not null.
    func has(_ names: String...) -> Bool { find(names) != nil }

    /// An object inside this one, or nil.
    func object(_ name: String) throws(ModelError) -> ConfigFields? {
        switch find([name])?.value {
        case nil: return nil
        case .object(let members): return ConfigFields(members, path: path + name + ".")
        default: throw mistyped(name, "an object")
        }
    }

    /// A whole number in a range; of several spellings the first that is there, which the others must not
    /// contradict.
    ///
    /// - Throws: `.badConfig` when it is missing, mistyped, contradicted or out of range.
    func whole(
        _ names: String..., in range: ClosedRange<Int>, otherwise: Int? = nil
    ) throws(ModelError) -> Int {
        var found: (name: String, value: Int)?
        for name in names {
            guard let value = find([name])?.value else { continue }
            guard case .number(let number) = value, let whole = Int(exactly: number) else {
                throw mistyped(name, "a whole number")
            }
            if let found, found.value != whole {
                throw ModelError(
                    .badConfig,
                    "config contradicts itself: \(path)\(found.name) is \(found.value), "
                        + "\(path)\(name) is \(whole)")
            }
            found = (name, whole)
        }
        guard let found else {
            if let otherwise { return otherwise }
            throw ModelError(
                .badConfig,
                "config field \(path)\(names[0]) is missing"
                    + (names.count == 1
                        ? "" : " (or \(names.dropFirst().joined(separator: ", ")))"))
        }
        guard range.contains(found.value) else {
            let allowed =
                range.count == 1
                ? "\(range.lowerBound)" : "\(range.lowerBound) to \(range.upperBound)"
            throw ModelError(
                .badConfig, "config \(path)\(found.name) is \(found.value); it must be \(allowed)")
        }
        return found.value
    }

    /// A whole number in a range, or nil when there is none.
    func optionalWhole(
        _ name: String, in range: ClosedRange<Int>
    ) throws(ModelError) -> Int? {
        has(name) ? try whole(name, in: range) : nil
    }

    /// A number in a range.
    func number(
        _ name: String, in range: ClosedRange<Double>, otherwise: Double? = nil
    ) throws(ModelError) -> Double {
        guard let value = find([name])?.value else {
            if let otherwise { return otherwise }
            throw ModelError(.badConfig, "config field \(path)\(name) is missing")
        }
        guard case .number(let number) = value else { throw mistyped(name, "a number") }
        guard range.contains(number) else {
            throw ModelError(
                .badConfig,
                "config \(path)\(name) is \(number); it must be \(range.lowerBound) to "
                    + "\(range.upperBound)")
        }
        return number
    }

    func flag(_ name: String, otherwise: Bool) throws(ModelError) -> Bool {
        guard let value = find([name])?.value else { return otherwise }
        guard case .bool(let flag) = value else { throw mistyped(name, "true or false") }
        return flag
    }

    func text(_ names: String...) throws(ModelError) -> String? {
        guard let (name, value) = find(names) else { return nil }
        guard case .string(let text) = value else { throw mistyped(name, "a text") }
        return text
    }

    /// Whole numbers: of a list, or one alone.
    func wholes(_ name: String, in range: ClosedRange<Int>) throws(ModelError) -> [Int]? {
        guard let value = find([name])?.value else { return nil }
        let values: [ConfigValue] = if case .array(let list) = value { list } else { [value] }
        var result: [Int] = []
        for value in values {
            guard case .number(let number) = value, let whole = Int(exactly: number),
                range.contains(whole)
            else {
                throw mistyped(
                    name, "whole numbers from \(range.lowerBound) to \(range.upperBound)")
            }
            result.append(whole)
        }
        return result
    }

    func texts(_ name: String) throws(ModelError) -> [String]? {
        guard let value = find([name])?.value else { return nil }
        guard case .array(let list) = value else { throw mistyped(name, "a list of texts") }
        var result: [String] = []
        for element in list {
            guard case .string(let text) = element else { throw mistyped(name, "a list of texts") }
            result.append(text)
        }
        return result
    }

    private func find(_ names: [String]) -> (name: String, value: ConfigValue)? {
        for name in names {
            guard let value = members[name] else { continue }
            if case .null = value { continue }
            return (name, value)
        }
        return nil
    }

    private func mistyped(_ name: String, _ wanted: String) -> ModelError {
        ModelError(.badConfig, "config field \(path)\(name) is not \(wanted)")
    }
}
