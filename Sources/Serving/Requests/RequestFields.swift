internal import Cambium

/// The members of a JSON object that a client sent: each is asked for once, and what nobody asked for is refused by
/// name.
struct RequestFields {
    private var members: [String: JSONValue]
    /// In front of the members' names, for messages: empty, or for example `stream_options.`.
    private let prefix: String

    /// - Throws: ``APIError`` for what is no object.
    init(_ value: JSONValue, prefix: String = "") throws {
        guard let members = value.object else {
            throw APIError(
                .badRequest,
                prefix.isEmpty ? "the body is no JSON object" : "\(prefix.dropLast()) is no object")
        }
        // What has no value is not there.
        self.members = members.filter { $0.value != .null }
        self.prefix = prefix
    }

    /// Reads a body.
    init(body: [UInt8]) throws {
        let value: JSONValue
        do {
            value = try JSONValue(parsing: body, source: "the body", code: .badInput)
        } catch let error as CambiumError {
            throw APIError(.badRequest, error.message, code: "invalid_json")
        }
        try self.init(value)
    }

    func has(_ name: String) -> Bool { members[name] != nil }

    mutating func take(_ name: String) -> JSONValue? { members.removeValue(forKey: name) }

    func fault(_ name: String, _ what: String) -> APIError {
        APIError(
            .badRequest, "\(prefix)\(name) \(what)", field: prefix + name, code: "invalid_value")
    }

    mutating func string(_ name: String) throws -> String? {
        guard let value = take(name) else { return nil }
        guard let text = value.string else { throw fault(name, "is no string") }
        return text
    }

    mutating func required(_ name: String) throws -> String {
        guard let text = try string(name) else {
            throw APIError(
                .badRequest, "\(prefix)\(name) is missing", field: prefix + name,
                code: "missing_required_parameter")
        }
        return text
    }

    mutating func flag(_ name: String) throws -> Bool? {
        guard let value = take(name) else { return nil }
        guard let flag = value.bool else { throw fault(name, "is neither true nor false") }
        return flag
    }

    mutating func whole(_ name: String, in range: ClosedRange<Int>) throws -> Int? {
        guard let value = take(name) else { return nil }
        guard let number = value.whole else { throw fault(name, "is no whole number") }
        guard range.contains(number) else {
            throw fault(
                name,
                "is \(number); give \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    mutating func number(_ name: String, in range: ClosedRange<Double>) throws -> Double? {
        guard let value = take(name) else { return nil }
        guard let number = value.number else { throw fault(name, "is no number") }
        guard range.contains(number) else {
            throw fault(
                name, "is \(number); give \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    /// An object within the object.
    mutating func fields(_ name: String) throws -> RequestFields? {
        guard let value = take(name) else { return nil }
        return try RequestFields(value, prefix: "\(prefix)\(name).")
    }

    /// Takes members that change nothing about the answer.
    mutating func ignore(_ names: String...) { for name in names { members[name] = nil } }

    /// Takes a member that is understood with some values only, which all mean that nothing is asked for.
    mutating func refuse(_ name: String, unless isNothing: (JSONValue) -> Bool = { _ in false })
        throws
    {
        guard let value = take(name), !isNothing(value) else { return }
        throw APIError(
            .badRequest, "\(prefix)\(name) is not supported by this server; leave it out",
            field: prefix + name, code: "unsupported_parameter")
    }

    /// - Throws: ``APIError`` for members that nobody took.
    func end() throws {
        guard let name = members.keys.min() else { return }
        throw APIError(
            .badRequest, "\(prefix)\(quotedName(name)) is not known to this server; leave it out",
            field: prefix + name, code: "unknown_parameter")
    }

    private func quotedName(_ name: String) -> String {
        name.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") }
            ? name : quoted(name)
    }
}
