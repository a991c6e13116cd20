internal import HTTPTypes
internal import Hummingbird
internal import Logging
internal import NIOCore

/// Makes answers of errors, counts and logs all answers.
struct Answering: RouterMiddleware {
    typealias Context = ServingContext

    let metrics: Metrics
    /// The methods of each address.
    let methods: RouteMethods

    func handle(
        _ request: Request, context: Context, next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        let start = ContinuousClock.now
        var response: Response
        var failure: (any Error)?
        do {
            response = try await next(request, context)
        } catch {
            failure = error
            response = answer(told(error, request), to: request, context)
        }
        if request.method == .head { response = response.createHeadResponse() }
        response.headers[.requestID] = context.id
        response.headers[.xContentTypeOptions] = "nosniff"
        let status = response.status.code
        let took = ContinuousClock.now - start
        // What comes in events is counted when it has ended.
        if response.body.contentLength != nil {
            metrics.noteAnswer(context.endpointPath ?? "none", status, took: took)
        }
        var facts: Logger.Metadata = [
            "method": "\(request.method.rawValue)", "path": "\(request.uri.path)",
            "status": "\(status)", "ms": "\(Int(took.seconds * 1000))",
            "client": "\(context.client)",
        ]
        if let commit = response.headers[.commit] { facts["commit"] = "\(commit)" }
        if let failure { facts["error"] = "\(failure)" }
        context.logger.log(level: status >= 500 ? .error : .info, "request", metadata: facts)
        return response
    }

    private func told(_ error: any Error, _ request: Request) -> APIError {
        switch error {
        case let error as HTTPError where error.status == .notFound:
            methods.of(request.uri.path).map { methods in
                APIError(
                    .methodNotAllowed, "this address takes \(methods.joined(separator: ", "))",
                    code: "method_not_allowed")
            } ?? APIError(.notFound, "there is nothing at this address", code: "not_found")
        case let error as HTTPError where error.status.code < 500:
            APIError(.badRequest, error.body ?? "the request makes no sense")
        default: metrics.told(error)
        }
    }

    private func answer(_ error: APIError, to request: Request, _ context: Context) -> Response {
        let status = HTTPResponse.Status(code: error.status)
        var response =
            request.uri.path.hasPrefix("/v1/messages")
            ? Response.json(MessageErrorAnswer(error), status: status)
            : Response.json(ErrorAnswer(error), status: status)
        if let seconds = error.retryAfter { response.headers[.retryAfter] = "\(seconds)" }
        if case .unauthorized = error.kind { response.headers[.wwwAuthenticate] = "Bearer" }
        if case .methodNotAllowed = error.kind {
            response.headers[.allow] = methods.of(request.uri.path)?.joined(separator: ", ")
        }
        guard case .tooLarge = error.kind else { return response }
        // What is left of the body is not read.
        response.headers[.connection] = "close"
        let channel = context.channel
        channel.eventLoop.scheduleTask(in: .seconds(1)) { channel.close(promise: nil) }
        return response
    }
}

extension Request {
    /// Reads the body, and answers it; what is in memory of all bodies is bounded until then.
    ///
    /// - Throws: ``APIError`` when there are too many bytes, of this one or of all.
    func withBody(
        _ engine: Engine, _ context: ServingContext, _ answer: ([UInt8]) async throws -> Response
    ) async throws -> Response {
        let most = engine.limits.body
        func check(_ length: Int) throws {
            guard length > most else { return }
            throw APIError(
                .tooLarge, "the body has \(length) bytes or more; this server takes \(most)",
                code: "body_too_large")
        }
        try check(headers[.contentLength].flatMap { Int($0) } ?? 0)
        if headers[.expect]?.lowercased() == "100-continue" { context.askForBody() }
        let share = engine.bodies.share()
        defer { withExtendedLifetime(share) {} }
        var bytes: [UInt8] = []
        do {
            for try await part in body {
                try check(bytes.count + part.readableBytes)
                try share.take(part.readableBytes)
                bytes += part.readableBytesView
            }
        } catch let error as APIError {
            throw error
        } catch {
            // A client that went, and no failure of the server's.
            throw APIError(
                .badRequest, "the request ended before its body did", code: "incomplete_body")
        }
        return try await answer(bytes)
    }
}

/// Which methods addresses have.
struct RouteMethods: Sendable {
    private var exact: [String: [String]] = [:]
    /// Of addresses that begin so.
    private var prefixes: [(prefix: String, methods: [String])] = []

    init(_ router: Router<ServingContext>) {
        for (path, routes) in Dictionary(grouping: router.routes, by: { $0.path.description }) {
            var methods = routes.map(\.method.rawValue)
            if methods.contains("GET") { methods.append("HEAD") }
            methods.sort()
            if path.hasSuffix("/**") {
                prefixes.append((String(path.dropLast(2)), methods))
            } else {
                exact[path] = methods
            }
        }
    }

    /// The methods of a path; nil for one that nothing is at.
    func of(_ path: String) -> [String]? {
        exact[path] ?? prefixes.first { path.hasPrefix($0.prefix) }?.methods
    }
}
