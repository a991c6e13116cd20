internal import Elements

/// Reads the JSON of a small description that a snapshot has, of at most 64 KiB.
///
/// - Returns: Nil for longer bytes, and for such as are no JSON or have equal keys in one object.
func description(_ json: [UInt8]) -> JSONValue? {
    guard json.count <= largestDescription else { return nil }
    return try? JSONValue(parsing: json, source: "a description", code: .badConfig)
}

/// The longest description that is read, in bytes.
let largestDescription = 1 << 16

/// A name as a string of JSON.
func quotedJSON(_ name: String) -> String {
    var text: [UInt8] = []
    appendJSON(name, to: &text)
    return String(decoding: text, as: UTF8.self)
}
