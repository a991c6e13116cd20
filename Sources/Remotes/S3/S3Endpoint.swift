internal import Elements

/// The server of a bucket, and how the bucket is named in requests.
struct S3Endpoint: Sendable {
    /// `https://host` or `http://host:port`.
    let base: String
    /// As the header Host has it.
    let host: String
    /// What the bucket's path begins with: empty when the host names the bucket.
    let root: String

    /// - Throws: `usage`.
    init(bucket: String, _ options: RemoteOptions, _ settings: S3Settings) throws {
        let text = settings.endpoint ?? "https://s3.\(settings.region).amazonaws.com"
        let (scheme, host) = try Self.parts(of: text)
        // The certificate of *.s3.amazonaws.com does not cover names with dots.
        let isAWS = settings.endpoint == nil && !bucket.contains(".")
        if options.isVirtualHost || isAWS {
            self.host = "\(bucket.lowercased()).\(host)"
            root = ""
        } else {
            self.host = host
            root = "/\(bucket)"
        }
        base = "\(scheme)://\(self.host)"
    }

    private static func parts(of text: String) throws -> (scheme: String, host: String) {
        func refused(_ what: String) -> CambiumError {
            CambiumError(.usage, "\(what); write the endpoint as http://HOST:PORT or https://HOST")
        }
        guard let end = text.firstRange(of: "://") else {
            throw refused("\(quoted(text)) is no endpoint: http:// or https:// is missing")
        }
        guard !text.contains("@") else {
            throw refused("the endpoint has a user or a password in it, which would be stored")
        }
        let scheme = text[..<end.lowerBound].lowercased()
        var host = String(text[end.upperBound...]).lowercased()
        if host.hasSuffix("/") { host.removeLast() }
        guard !host.contains("/") else {
            throw refused(
                "the endpoint \(quoted(text)) has a path, which none can have: bucket and prefix are in s3://BUCKET/PREFIX"
            )
        }
        let isHost = host.utf8.allSatisfy { byte in
            TransportKey.isPlain(byte)
                || [UInt8(ascii: ":"), UInt8(ascii: "["), UInt8(ascii: "]")]
                    .contains(byte)
        }
        guard scheme == "http" || scheme == "https", isHost, !host.isEmpty else {
            throw refused("\(quoted(text)) is no endpoint of S3")
        }
        // Nobody sends a port that is the scheme's own, and what is signed is what is sent.
        for (of, port) in [("http", ":80"), ("https", ":443")]
        where scheme == of && host.hasSuffix(port) {
            host.removeLast(port.count)
        }
        return (scheme, host)
    }
}
