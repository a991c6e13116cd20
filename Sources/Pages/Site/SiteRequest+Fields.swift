internal import Cambium

extension SiteRequest {
    /// Fields that a request has, at most.
    private static let mostFields = 2_048

    /// The fields of an address behind its `?`, or of a form as it is sent (application/x-www-form-urlencoded).
    ///
    /// Of a name that comes twice, the last counts.
    ///
    /// - Throws: `usage` for more fields than any page of a site has.
    package static func fields(_ text: String) throws -> [String: String] {
        var fields: [String: String] = [:]
        let parts = text.split(separator: "&", maxSplits: mostFields + 1)
        guard parts.count <= mostFields else {
            throw CambiumError(.usage, "a request has \(mostFields) fields at most")
        }
        for part in parts {
            let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            fields[decoded(pair[0])] = pair.count > 1 ? decoded(pair[1]) : ""
        }
        return fields
    }

    /// `%XX` are bytes, and `+` is a space; what is no such code stays as it is.
    private static func decoded(_ text: Substring) -> String {
        let bytes = Array(text.utf8)
        var (result, index): ([UInt8], Int) = ([], 0)
        while index < bytes.count {
            if bytes[index] == 0x25, index + 2 < bytes.count, let high = digit(bytes[index + 1]),
                let low = digit(bytes[index + 2])
            {
                result.append(high << 4 | low)
                index += 3
            } else {
                result.append(bytes[index] == 0x2B ? 0x20 : bytes[index])
                index += 1
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x41 + 10
        case 0x61...0x66: byte - 0x61 + 10
        default: nil
        }
    }
}
