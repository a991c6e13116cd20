internal import Elements
internal import KeyValue

/// Where a remote is, as a user writes it: `file:///a/folder` or `s3://BUCKET/PREFIX`.
package struct RemoteAddress: Sendable, Equatable {
    package enum Place: Sendable, Equatable {
        /// An absolute path.
        case folder(String)
        /// A bucket, and what all keys in it begin with: empty, or without slashes at its ends.
        case bucket(String, prefix: String)
    }

    package let place: Place

    /// - Throws: `usage`, which does not repeat what may be a password.
    package init(_ text: String) throws {
        func refused(_ why: String) -> CambiumError { CambiumError(.usage, why) }
        let forms = "write file:///a/folder or s3://BUCKET/PREFIX"
        guard let scheme = text.firstRange(of: "://") else {
            let hint = text.hasPrefix("/") ? "; for a folder, file://\(text)" : ""
            throw refused("\(quoted(text)) is no URL of a remote: \(forms)\(hint)")
        }
        let rest = String(text[scheme.upperBound...])
        let authority = rest.prefix { $0 != "/" }
        guard !authority.contains("@") else {
            throw refused(
                "the URL has a user or a password in it, which would be stored and shown; leave them "
                    + "out, and set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or a profile")
        }
        guard text.utf8.count <= 1_024, reasonToRefuse(name: text) == nil else {
            throw refused("the URL is too long or has control characters: \(forms)")
        }
        switch text[..<scheme.lowerBound].lowercased() {
        case "file": place = .folder(try Self.folder(rest, text))
        case "s3": place = try Self.bucket(rest, text)
        case "http", "https":
            throw refused(
                "\(quoted(text)) is the address of a server: write s3://BUCKET/PREFIX, and the server "
                    + "as --endpoint \(text[..<scheme.upperBound])\(authority)")
        default: throw refused("\(quoted(text)) is no URL of a remote: \(forms)")
        }
    }

    private static func folder(_ rest: String, _ text: String) throws -> String {
        guard rest.hasPrefix("/") else {
            throw CambiumError(
                .usage,
                "\(quoted(text)) names no absolute path: write file:///a/folder, with three slashes"
            )
        }
        let parts = rest.split(separator: "/")
        guard !parts.isEmpty, !parts.contains("..") else {
            throw CambiumError(.usage, "\(quoted(text)) must name a folder below /, without ..")
        }
        return parts.map { "/\($0)" }.joined()
    }

    private static func bucket(_ rest: String, _ text: String) throws -> Place {
        let name = String(rest.prefix { $0 != "/" })
        guard !name.isEmpty else {
            throw CambiumError(.usage, "\(quoted(text)) names no bucket: write s3://BUCKET/PREFIX")
        }
        let letters = name.utf8.allSatisfy { byte in
            TransportKey.isPlain(byte) && byte != UInt8(ascii: "~")
        }
        guard letters, (2...255).contains(name.utf8.count), name.first != ".", name.first != "-"
        else {
            throw CambiumError(
                .usage,
                "\(quoted(name)) cannot be a bucket: letters, digits, -, . and _, and no port; the "
                    + "server is given by --endpoint")
        }
        let parts = rest.dropFirst(name.count).split(separator: "/")
        let prefix = parts.joined(separator: "/")
        let isFine = !parts.contains(".") && !parts.contains("..") && prefix.utf8.count <= 200
        guard isFine, !prefix.contains(where: { "?#\\".contains($0) }) else {
            throw CambiumError(
                .usage,
                "\(quoted(prefix)) cannot be a prefix: up to 200 bytes, without . and .. and ? # \\"
            )
        }
        return .bucket(name, prefix: prefix)
    }

    /// The address, with what does not matter left out.
    package var url: String {
        switch place {
        case .folder(let path): "file://\(path)"
        case .bucket(let name, let prefix): "s3://\(name)" + (prefix.isEmpty ? "" : "/\(prefix)")
        }
    }

    /// Opens the remote, which is asked nothing yet.
    ///
    /// - Parameters:
    ///   - traffic: Counts, limits and stops what moves.
    ///   - variable: The value of an environment variable; nil when it is unset or empty.
    /// - Throws: `usage` for options that cannot be; `denied` without credentials.
    package func open(
        _ options: RemoteOptions = RemoteOptions(), traffic: Traffic = Traffic(),
        retries: RetryPolicy = RetryPolicy(),
        variable: (String) -> String? = { environmentVariable($0) }
    ) throws -> any Transport {
        switch place {
        case .folder(let path): FileRemote(path, traffic: traffic)
        case .bucket(let name, let prefix):
            try S3Remote(
                bucket: name, prefix: prefix, options, S3Settings(options, variable: variable),
                traffic: traffic, retries: retries)
        }
    }
}
