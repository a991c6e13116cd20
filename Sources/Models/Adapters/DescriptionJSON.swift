internal import FoundationEssentials

/// Reads the JSON of a small description that a snapshot has, of at most 64 KiB.
///
/// - Returns: Nil for longer bytes, and for such as hold no value of the type.
func description<Fields: Decodable>(_ type: Fields.Type, _ json: [UInt8]) -> Fields? {
    guard json.count <= largestDescription else { return nil }
    return try? JSONDecoder().decode(type, from: Data(json))
}

/// The longest description that is read, in bytes.
let largestDescription = 1 << 16
