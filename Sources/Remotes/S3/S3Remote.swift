package import Elements
internal import Objects

/// A remote in a bucket of a server that speaks S3.
///
/// Requests are signed with the digest of their body (``RequestSignature``), carry no other checksum, and are never
/// in several parts: what `If-None-Match: *` says of a small or large plain PUT is all that this asks of a server
/// (``Probe``).
package final class S3Remote: Transport {
    package let url: String
    private let prefix: String
    private let requests: S3Requests
    private let isSingleWriter: Bool

    /// Keys of a list take up to some 1,100 bytes each.
    private static let listLimit = 4 << 20
    /// Pages that are passed over, one after another: a server may invent them for ever.
    private static let mostPagesOfOthers = 1_000

    /// - Parameter prefix: Empty, or without slashes at its ends.
    init(
        bucket: String, prefix: String, _ options: RemoteOptions, _ settings: S3Settings,
        traffic: Traffic, retries: RetryPolicy
    ) throws {
        url = "s3://\(bucket)" + (prefix.isEmpty ? "" : "/\(prefix)")
        self.prefix = prefix.isEmpty ? "" : prefix + "/"
        isSingleWriter = options.isSingleWriter
        requests = try S3Requests(
            bucket: bucket, url: url, endpoint: S3Endpoint(bucket: bucket, options, settings),
            settings, traffic: traffic, retries: retries)
    }

    package func read(_ key: String, _ range: Range<Int>?, limit: Int) throws -> MappedBytes? {
        let path = try path(of: key)
        if let range { return try read(key, path, range, limit: limit) }
        let response = try requests.answer(S3Request("GET", path, limit: limit))
        switch response.status {
        case 200 where response.isFramed: return response.body
        case 200: throw fault(key, "ends where the connection ends: it may be cut off")
        case 404: return try requests.missing(response)
        default: throw requests.failure(response, on: key)
        }
    }

    private func read(
        _ key: String, _ path: String, _ range: Range<Int>, limit: Int
    ) throws -> MappedBytes? {
        guard range.count <= limit else {
            throw fault(key, "was to be read in \(range.count) bytes, more than \(limit)")
        }
        // HTTP has no empty range.
        guard !range.isEmpty else {
            guard let size = try entry(key)?.entry.size else { return nil }
            guard range.upperBound <= size else { throw outside(key, range) }
            return MappedBytes(copying: [])
        }
        var request = S3Request("GET", path, limit: range.count)
        request.plainHeaders = [("Range", "bytes=\(range.lowerBound)-\(range.upperBound - 1)")]
        let response = try requests.answer(request)
        switch response.status {
        case 206:
            let wanted = "bytes \(range.lowerBound)-\(range.upperBound - 1)/"
            guard response.headers["content-range"]?.hasPrefix(wanted) ?? false,
                response.body.count == range.count
            else { throw outside(key, range) }
            return response.body
        case 416: throw outside(key, range)
        case 200: throw requests.ignoresRanges()
        case 404: return try requests.missing(response)
        default: throw requests.failure(response, on: key)
        }
    }

    private func outside(_ key: String, _ range: Range<Int>) -> CambiumError {
        fault(key, "does not have the bytes \(range) that it should have")
    }

    private func fault(_ key: String, _ what: String) -> CambiumError {
        CambiumError(.network, "\(url): \(key) \(what)")
    }

    package func write(_ key: String, _ body: TransportBody) throws {
        let response = try requests.answer(S3Request("PUT", try path(of: key), body))
        guard response.status == 200 else { throw requests.failure(response, on: key) }
    }

    package func create(_ key: String, _ body: TransportBody) throws -> Bool {
        // Without conditions nobody else may write, and then looking first is enough.
        if isSingleWriter {
            guard try entry(key) == nil else { return false }
            try write(key, body)
            return true
        }
        var request = S3Request("PUT", try path(of: key), body)
        request.signedHeaders = [("if-none-match", "*")]
        let response = try requests.answer(request)
        switch response.status {
        case 200: return true
        case 412: return false
        case 501: throw requests.refusesConditions()
        default: throw requests.failure(response, on: key)
        }
    }

    package func entry(_ key: String) throws -> (entry: TransportEntry, now: Int64)? {
        let response = try requests.answer(S3Request("HEAD", try path(of: key), limit: 0))
        switch response.status {
        case 200:
            guard let size = response.headers["content-length"].flatMap({ Int($0) }), size >= 0,
                let modified = response.headers["last-modified"].flatMap(ServerTime.http)
            else { throw fault(key, "comes without its length or its time") }
            return (
                TransportEntry(key: key, size: size, modified: modified), try requests.now(response)
            )
        case 404: return nil
        default: throw requests.failure(response, on: key)
        }
    }

    package func delete(_ key: String) throws {
        let response = try requests.answer(S3Request("DELETE", try path(of: key), limit: 0))
        guard [200, 204, 404].contains(response.status) else {
            throw requests.failure(response, on: key)
        }
        if response.status == 404 { let _: Never? = try requests.missing(response) }
    }

    private func path(of key: String) throws -> String {
        _ = try TransportKey.components(of: key)
        return RequestSignature.encoded(prefix + key, keepingSlashes: true)
    }
}

extension S3Remote {
    package func list(_ prefix: String, after: String?) throws -> TransportListing {
        try TransportKey.check(prefix: prefix)
        var after = after.map { self.prefix + $0 }
        var asked: Set<String> = []
        for _ in 0..<Self.mostPagesOfOthers {
            var request = S3Request("GET", "", limit: Self.listLimit)
            request.query = [
                ("encoding-type", "url"), ("list-type", "2"), ("max-keys", "1000"),
                ("prefix", RequestSignature.encoded(self.prefix + prefix)),
            ]
            if let after { request.query.append(("start-after", RequestSignature.encoded(after))) }
            let response = try requests.answer(request)
            guard response.status == 200 else { throw requests.failure(response, on: prefix) }
            let page = try S3Page(response.body.copy(), after: after)
            let entries = page.entries.compactMap { entry(of: $0, prefix) }
            let last = page.isTruncated ? page.entries.last?.key : nil
            // All of a page may be what others keep there, and is passed over.
            if !entries.isEmpty || last == nil {
                guard last?.hasPrefix(self.prefix) ?? true else {
                    throw fault(prefix, "is listed with keys that begin otherwise")
                }
                return TransportListing(
                    entries: entries.sorted { isBefore($0.key, $1.key) },
                    next: last.map { String($0.dropFirst(self.prefix.count)) },
                    now: try requests.now(response))
            }
            guard let last, asked.insert(last).inserted else {
                throw fault(prefix, "is listed in a circle: \(quoted(last ?? "")) comes again")
            }
            after = last
        }
        throw fault(
            prefix,
            "is listed with \(Self.mostPagesOfOthers) pages of keys that are none of a remote; choose a prefix of "
                + "its own")
    }

    /// The entry by its key below the prefix; nil for what is no key of a remote.
    private func entry(of found: TransportEntry, _ prefix: String) -> TransportEntry? {
        guard found.key.hasPrefix(self.prefix + prefix) else { return nil }
        let key = String(found.key.dropFirst(self.prefix.count))
        guard (try? TransportKey.components(of: key)) != nil else { return nil }
        return TransportEntry(key: key, size: found.size, modified: found.modified)
    }
}
