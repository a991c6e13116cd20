/// Changes single values of a JSON text and leaves every other byte as it is, so that what is changed back is
/// the text that was.
package struct JSONEdit {
    package private(set) var bytes: [UInt8]
    private let source: String
    private let code: CambiumError.Code

    /// - Parameters:
    ///   - source: What is changed, for messages: "config.json".
    ///   - code: The code of faults in the text.
    package init(_ bytes: [UInt8], source: String, code: CambiumError.Code) {
        self.bytes = bytes
        self.source = source
        self.code = code
    }

    /// Where a member of an object lies.
    private struct Member {
        let key: String
        let value: Range<Int>
        /// From the comma or the brace before the key to the end of the value.
        let start: Int
    }

    /// Adds to a whole number.
    ///
    /// - Parameters:
    ///   - path: The keys that lead to it.
    /// - Returns: Whether there is a whole number at the path; if not, nothing is changed.
    /// - Throws: The fault of the text when the sum leaves 64 bits, or the text is no JSON.
    package mutating func add(
        _ difference: Int, to path: [String]
    ) throws -> Bool {
        guard let found = try members(of: path.dropLast())?.first(where: { $0.key == path.last }),
            let number = Int(String(decoding: bytes[found.value], as: UTF8.self))
        else { return false }
        let (sum, overflows) = number.addingReportingOverflow(difference)
        guard !overflows else {
            throw CambiumError(
                code,
                "\(source): \(path.joined(separator: ".")) is \(number), which cannot change by "
                    + "\(difference); correct it")
        }
        bytes.replaceSubrange(found.value, with: String(sum).utf8)
        return true
    }

    /// Adds members of text behind the last of an object, each on a line of its own.
    ///
    /// - Returns: Whether there is an object at the path that is not empty; if not, nothing is changed.
    package mutating func append(
        _ entries: [(key: String, value: String)], to path: [String]
    ) throws -> Bool {
        guard let last = try members(of: path[...])?.last else { return false }
        var text: [UInt8] = []
        for (key, value) in entries {
            text += [UInt8(ascii: ","), 0x0A] + Array(repeating: 0x20, count: 2 * path.count + 2)
            appendJSON(key, to: &text)
            text += Array(": ".utf8)
            appendJSON(value, to: &text)
        }
        bytes.insert(contentsOf: text, at: last.value.upperBound)
        return true
    }

    /// Gives a member of the text's object a value, behind the last one where there is none of the name.
    ///
    /// - Parameter json: The value as JSON.
    /// - Returns: Whether the text is an object that is not empty; if not, nothing is changed.
    package mutating func set(_ key: String, json: String) throws -> Bool {
        guard let all = try members(of: []), let last = all.last else { return false }
        if let found = all.last(where: { $0.key == key }) {
            bytes.replaceSubrange(found.value, with: json.utf8)
            return true
        }
        var text = Array(",\n  ".utf8)
        appendJSON(key, to: &text)
        bytes.insert(contentsOf: text + Array(": \(json)".utf8), at: last.value.upperBound)
        return true
    }

    /// Takes members out of an object, with the commas before them; its first member stays.
    ///
    /// - Returns: How many were taken out.
    package mutating func remove(
        _ keys: Set<String>, from path: [String]
    ) throws -> Int {
        let found = (try members(of: path[...]) ?? []).dropFirst().filter { keys.contains($0.key) }
        for member in found.reversed() {
            bytes.removeSubrange(member.start..<member.value.upperBound)
        }
        return found.count
    }

    /// The members of an object in order; nil when there is none at the path.
    private func members(of path: ArraySlice<String>) throws -> [Member]? {
        var reader = JSONReader(bytes, source: source, code: code)
        let members = try Self.members(&reader, path)
        try reader.end()
        return members
    }

    private static func members(
        _ reader: inout JSONReader, _ path: ArraySlice<String>
    ) throws -> [Member]? {
        guard reader.next() == UInt8(ascii: "{") else {
            _ = try JSONValue(&reader)
            return nil
        }
        var members: [Member] = []
        var inner: [Member]?
        // The reader stands behind the brace, or behind the last value, when a key comes.
        var before = reader.position
        try reader.object { reader, key in
            _ = reader.next()
            let start = reader.position
            if key == path.first {
                inner = try Self.members(&reader, path.dropFirst())
            } else {
                _ = try JSONValue(&reader)
            }
            members.append(Member(key: key, value: start..<reader.position, start: before))
            before = reader.position
        }
        return path.isEmpty ? members : inner
    }
}
