import Foundation

/// A JSON text of which one value is one that no program would write there.
package struct HostileJSON: Sendable, CustomStringConvertible {
    /// Where the value stands: `rope_parameters.factor`, `mlp_only_layers.0`.
    package let place: [String]
    /// The value, as it is written.
    package let value: String
    package let bytes: [UInt8]

    package var description: String { "\(place.joined(separator: ".")) = \(value.prefix(40))" }

    /// Whole numbers around the limits of integer types and far beyond them, fractions, what is no number, and
    /// values of other types.
    package static let values: [String] =
        [
            "0", "-1", "1", "2", "3", "7", "255", "257", "65535", "65536", "65537", "1048576",
            "16777217", "2147483648", "4294967296", "1000000000000", "4611686018427387904",
            "9223372036854775807", "9223372036854775808", "-9223372036854775808",
            "18446744073709551616", "1e19", "1e300", "-1e300", "1e999", "0.5", "1e-320", "-0.0",
            "NaN", "Infinity", "-Infinity", "null", "true", "\"\"", "\"16\"", "[]", "[0]",
            "[9223372036854775807]", "[-1, 0.5]", "{}", "{\"factor\": 1e300}",
        ] + [
            deep(100), deep(5_000), "[\(String(repeating: "0,", count: 5_000))0]",
            "\"\(String(repeating: "x", count: 5_000))\"",
        ]

    private static func deep(_ count: Int) -> String {
        String(repeating: "[", count: count) + String(repeating: "]", count: count)
    }

    /// Each value inside a JSON object, replaced by each of ``values``.
    package static func variants(of object: [String: Any]) throws -> [HostileJSON] {
        try places(in: object).flatMap { place in
            try values.map { try HostileJSON(object, place, $0) }
        }
    }

    /// As ``variants(of:)``, of the object in a file.
    package static func variants(ofFile path: String) throws -> [HostileJSON] {
        let value = try JSONSerialization.jsonObject(with: Data(contentsOf: URL(filePath: path)))
        return try variants(of: value as? [String: Any] ?? [:])
    }

    private init(_ object: [String: Any], _ place: [String], _ value: String) throws {
        let mark = "@@hostile@@"
        let marked = try JSONSerialization.data(
            withJSONObject: Self.replacing(object, place[...], mark), options: .sortedKeys)
        self.place = place
        self.value = value
        bytes = Array(
            String(decoding: marked, as: UTF8.self).replacing("\"\(mark)\"", with: value).utf8)
    }

    /// The ways to all values, those that have members or elements included.
    private static func places(in value: Any) -> [[String]] {
        var found: [[String]] = []
        func visit(_ key: String, _ member: Any) {
            found.append([key])
            found += places(in: member).map { [key] + $0 }
        }
        if let object = value as? [String: Any] {
            for key in object.keys.sorted() { visit(key, object[key] ?? 0) }
        } else if let list = value as? [Any] {
            for (index, element) in list.enumerated() { visit("\(index)", element) }
        }
        return found
    }

    private static func replacing(_ value: Any, _ place: ArraySlice<String>, _ mark: String) -> Any
    {
        guard let key = place.first else { return mark }
        if var object = value as? [String: Any] {
            object[key] = replacing(object[key] ?? 0, place.dropFirst(), mark)
            return object
        }
        guard var list = value as? [Any], let index = Int(key) else { return value }
        list[index] = replacing(list[index], place.dropFirst(), mark)
        return list
    }
}
