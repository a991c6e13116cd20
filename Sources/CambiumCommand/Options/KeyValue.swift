internal import ArgumentParser

/// Free text under a key: `KEY=VALUE`.
struct TextPair: ExpressibleByArgument {
    let key: String
    let value: String

    init?(argument: String) {
        guard let sign = argument.firstIndex(of: "="), sign > argument.startIndex else {
            return nil
        }
        key = String(argument[..<sign])
        value = String(argument[argument.index(after: sign)...])
    }
}

/// A number under a name: `NAME=NUMBER`.
///
/// The number follows the last `=`.
struct NumberPair: ExpressibleByArgument {
    let name: String
    let value: Double

    init?(argument: String) {
        guard let sign = argument.lastIndex(of: "="), sign > argument.startIndex,
            let value = Double(argument[argument.index(after: sign)...])
        else { return nil }
        name = String(argument[..<sign])
        self.value = value
    }
}

/// A dictionary of pairs.
///
/// - Throws: A usage error when a key is given twice.
func dictionary<Value>(
    _ pairs: [(String, Value)], _ option: String
) throws -> [String: Value] {
    var result: [String: Value] = [:]
    for (key, value) in pairs where result.updateValue(value, forKey: key) != nil {
        throw ValidationError("\(option) names '\(key)' twice")
    }
    return result
}
