internal import Crypto
internal import Elements
internal import FoundationEssentials
internal import Objects

/// Amazon's signature of a request, version 4, with the digest of the body among what is signed.
///
/// Own code instead of libcurl's CURLOPT_AWS_SIGV4: that of Debian 12 (7.88) neither sorts nor encodes the query, which
/// lists need. "Signature Calculations for the Authorization Header: Transferring Payload in a Single Chunk" of the
/// S3 API reference.
struct RequestSignature {
    let credentials: Credentials
    let region: String

    /// The headers that sign a request.
    ///
    /// - Parameters:
    ///   - path: Encoded, as it is sent.
    ///   - query: Encoded names and values.
    ///   - headers: Those that are signed besides; names in lower case.
    ///   - digest: The SHA-256 of the body.
    ///   - now: Seconds since 1970.
    func headers(
        _ method: String, host: String, path: String, query: [(String, String)],
        headers: [(String, String)], digest: ObjectID, now: Int64
    ) -> [(name: String, value: String)] {
        let time = ServerTime.basic(now)
        let date = time.prefix(8)
        var signed =
            [
                ("host", host), ("x-amz-content-sha256", digest.hex), ("x-amz-date", time),
            ] + headers
        if let token = credentials.sessionToken { signed.append(("x-amz-security-token", token)) }
        signed.sort { isBefore($0.0, $1.0) }
        let names = signed.map(\.0).joined(separator: ";")
        let request = [
            method, path, Self.text(of: query), signed.map { "\($0.0):\($0.1)\n" }.joined(), names,
            digest.hex,
        ].joined(separator: "\n")
        let scope = "\(date)/\(region)/s3/aws4_request"
        let text = [
            "AWS4-HMAC-SHA256", time, scope, ObjectID(hashing: Array(request.utf8)).hex,
        ].joined(separator: "\n")
        var key = Array("AWS4\(credentials.secretKey)".utf8)
        for part in [String(date), region, "s3", "aws4_request"] { key = Self.code(part, key) }
        let signature = ObjectID(Self.code(text, key).raw).hex
        return signed.filter { $0.0 != "host" }.map { (name: $0.0, value: $0.1) } + [
            (
                "authorization",
                "AWS4-HMAC-SHA256 Credential=\(credentials.accessKey)/\(scope),"
                    + "SignedHeaders=\(names),Signature=\(signature)"
            )
        ]
    }

    private static func code(_ text: String, _ key: [UInt8]) -> [UInt8] {
        Array(
            HMAC<SHA256>.authenticationCode(for: Array(text.utf8), using: SymmetricKey(data: key)))
    }

    /// A query in the order that is signed.
    static func text(of query: [(String, String)]) -> String {
        query.sorted { isBefore($0.0, $1.0) }.map { "\($0.0)=\($0.1)" }.joined(separator: "&")
    }

    /// Spells out all bytes but those that need no spelling.
    static func encoded(_ text: String, keepingSlashes: Bool = false) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var result: [UInt8] = []
        for byte in text.utf8 {
            if TransportKey.isPlain(byte) || (keepingSlashes && byte == UInt8(ascii: "/")) {
                result.append(byte)
            } else {
                result += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: result, as: UTF8.self)
    }
}
