internal import HTTPTypes
internal import Hummingbird

/// Who may ask: whoever shows the key, where there is one, and no page of another site.
struct Access: RouterMiddleware {
    typealias Context = ServingContext

    let apiKey: String?
    /// Names that requests may have as their host where no key protects the server; nil for any.
    let hosts: Set<String>?

    /// Paths that say nothing about models and need no key.
    private static let open: Set<String> = ["/health", "/ready"]

    func handle(
        _ request: Request, context: Context, next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        let host = request.head.authority ?? ""
        // The first is the request's authority, and no header any more.
        guard request.headers[.secondHost] == nil else {
            throw APIError(.badRequest, "the request names two hosts", code: "two_hosts")
        }
        let isForeign = request.headers[.origin].map {
            $0 != "http://\(host)" && $0 != "https://\(host)"
        }
        guard isForeign != true, !Self.isFetchedByOthers(request) else {
            throw APIError(
                .forbidden, "pages of other sites may not use this server", code: "cross_site")
        }
        if let hosts, !hosts.contains(Self.name(of: host)) {
            throw APIError(
                .misdirected,
                "this server is not called that; without --api-key it answers to its own address alone",
                code: "unknown_host")
        }
        if let apiKey, !Self.open.contains(request.uri.path) {
            guard let shown = Self.key(request), Self.equal(shown, apiKey) else {
                throw APIError(
                    .unauthorized, "the API key is missing or not the right one",
                    code: "invalid_api_key")
            }
        }
        return try await next(request, context)
    }

    /// Whether a page of another site asks, with a picture, a script or a frame, as browsers say (Sec-Fetch-Site); a
    /// link that somebody follows may come from anywhere.
    private static func isFetchedByOthers(_ request: Request) -> Bool {
        guard let site = request.headers[.fetchSite], site != "same-origin", site != "none" else {
            return false
        }
        let isLink =
            request.method == .get && request.headers[.fetchMode] == "navigate"
            && request.headers[.fetchDestination] == "document"
        return !isLink
    }

    /// A host without its port.
    private static func name(of host: String) -> String {
        if host.hasPrefix("[") { return String(host.prefix { $0 != "]" }.dropFirst()).lowercased() }
        return String(host.prefix { $0 != ":" }).lowercased()
    }

    private static func key(_ request: Request) -> String? {
        if let key = request.headers[.xAPIKey] { return key }
        guard let words = request.headers[.authorization]?.split(separator: " "), words.count == 2,
            words[0].lowercased() == "bearer"
        else { return nil }
        return String(words[1])
    }

    /// Whether two keys are equal, in a time that does not tell where they differ.
    private static func equal(_ shown: String, _ key: String) -> Bool {
        let (left, right) = (Array(shown.utf8), Array(key.utf8))
        var difference = left.count ^ right.count
        for index in right.indices {
            difference |= Int((index < left.count ? left[index] : 0) ^ right[index])
        }
        return difference == 0
    }
}

extension HTTPField.Name {
    static let xAPIKey = named("x-api-key")
    static let commit = named("x-cambium-commit")
    static let requestID = named("x-request-id")
    static let secondHost = named("host")
    static let fetchSite = named("sec-fetch-site")
    static let fetchMode = named("sec-fetch-mode")
    static let fetchDestination = named("sec-fetch-dest")
    static let referrerPolicy = named("referrer-policy")

    private static func named(_ name: String) -> HTTPField.Name {
        guard let name = HTTPField.Name(name) else { preconditionFailure("\(name) is no name") }
        return name
    }
}
