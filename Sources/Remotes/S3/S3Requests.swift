internal import Elements
internal import KeyValue
internal import Objects

/// A request of S3, before it is signed.
struct S3Request {
    let method: String
    /// Below the bucket, encoded.
    let path: String
    var body = TransportBody([])
    /// Encoded names and values.
    var query: [(String, String)] = []
    /// In lower case.
    var signedHeaders: [(String, String)] = []
    var plainHeaders: [(String, String)] = []
    let limit: Int

    init(_ method: String, _ path: String, limit: Int) {
        self.method = method
        self.path = path
        self.limit = limit
    }

    init(_ method: String, _ path: String, _ body: TransportBody) {
        self.init(method, path, limit: 64 << 10)
        self.body = body
    }
}

/// Signs requests to one bucket, sends them, and again where that is safe and may help.
final class S3Requests: Sendable {
    let bucket: String
    /// Of the remote, for messages.
    let url: String
    let endpoint: S3Endpoint
    private let signature: RequestSignature?
    private let connections: HTTPConnections
    private let traffic: Traffic
    private let retries: RetryPolicy

    /// Below this a body is sent at once; above, the server may first refuse (libcurl's own limit).
    private static let expectLimit = 1 << 20

    init(
        bucket: String, url: String, endpoint: S3Endpoint, _ settings: S3Settings,
        traffic: Traffic, retries: RetryPolicy
    ) {
        self.bucket = bucket
        self.url = url
        self.endpoint = endpoint
        self.traffic = traffic
        self.retries = retries
        signature = settings.credentials.map {
            RequestSignature(credentials: $0, region: settings.region)
        }
        connections = HTTPConnections(caFile: settings.caFile, traffic: traffic)
    }

    /// The server's answer, whatever its status; after failures that may pass it is asked again.
    ///
    /// A PUT with `If-None-Match: *` is repeated as well: when its first answer was lost, the next is 412, and whoever
    /// asked reads back whose bytes there are.
    ///
    /// - Throws: `network` when that did not help.
    func answer(_ request: S3Request) throws -> HTTPResponse {
        let start = ContinuousClock.now
        var attempt = 0
        while true {
            attempt += 1
            let failure: String
            var asked: Duration?
            switch try outcome(request) {
            case .answered(let response):
                guard let reason = Self.reasonToRetry(response) else { return response }
                failure = reason
                asked = Self.retryAfter(response)
            case .broken(let message): failure = message
            case .tooLong(let status):
                if status == 200, request.plainHeaders.contains(where: { $0.0 == "Range" }) {
                    throw ignoresRanges()
                }
                throw CambiumError(
                    .network,
                    "\(url): \(request.path) has more than the \(request.limit) bytes that it may have"
                )
            }
            guard let delay = retries.delay(after: attempt, asked: asked, since: start) else {
                throw CambiumError(
                    .network,
                    "\(url) at \(endpoint.base) does not answer as it should (\(attempt) tries): "
                        + "\(failure); try again later, or see whether the endpoint is right")
            }
            try traffic.wait(delay)
        }
    }

    private func outcome(_ request: S3Request) throws -> HTTPOutcome {
        try traffic.began()
        do {
            return try connections.perform(signed(request))
        } catch let error as CambiumError {
            guard error.code == .network || error.code == .limit else { throw error }
            throw error.adding("\(url) at \(endpoint.base)")
        }
    }

    private func signed(_ request: S3Request) -> HTTPRequest {
        // The bucket itself is a folder for some servers: it ends in a slash.
        let path = "\(endpoint.root)/\(request.path)"
        var headers: [(name: String, value: String)] = [("User-Agent", "cambium")]
        headers += request.plainHeaders.map { (name: $0.0, value: $0.1) }
        if let signature {
            headers += signature.headers(
                request.method, host: endpoint.host, path: path, query: request.query,
                headers: request.signedHeaders, digest: request.body.digest,
                now: secondsSince1970())
        } else {
            headers += request.signedHeaders.map { (name: $0.0, value: $0.1) }
        }
        if request.body.count < Self.expectLimit { headers.append(("Expect", "")) }
        let query = request.query.isEmpty ? "" : "?" + RequestSignature.text(of: request.query)
        return HTTPRequest(
            method: request.method, url: endpoint.base + path + query, headers: headers,
            pieces: request.body.pieces.filter { $0.count > 0 }, limit: request.limit)
    }

    /// Why a request is worth repeating after an answer; nil when it is settled.
    private static func reasonToRetry(_ response: HTTPResponse) -> String? {
        let words: String
        switch response.status {
        case 408, 429, 500, 502, 503, 504: words = ""
        // Another request on the same key was under way (PutObject, "Conditional requests").
        case 409: words = "ConditionalRequestConflict OperationAborted"
        case 400: words = "RequestTimeout"
        default: return nil
        }
        let code = S3Fault(response).code
        guard words.isEmpty || words.split(separator: " ").contains(where: { $0 == code }) else {
            return nil
        }
        return "\(response.status)" + (code.isEmpty ? "" : " \(code)")
    }

    /// What the server asks to wait, in whole seconds; a date is not followed.
    private static func retryAfter(_ response: HTTPResponse) -> Duration? {
        response.headers["retry-after"].flatMap { Int($0) }.map { .seconds(max(0, min($0, 3_600))) }
    }

    /// The server's clock.
    func now(_ response: HTTPResponse) throws -> Int64 {
        guard let now = response.headers["date"].flatMap(ServerTime.http) else {
            throw CambiumError(.network, "\(url) at \(endpoint.base) does not tell its time (Date)")
        }
        return now
    }
}
