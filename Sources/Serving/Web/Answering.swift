internal import HTTPTypes
internal import Hummingbird
internal import Logging
internal import NIOCore

/// Makes answers of errors, counts and logs all answers.
struct Answering: RouterMiddleware {
    typealias Context = ServingContext

    let metrics: Metrics

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
            response = answer(Self.told(error), to: request, context)
            if request.method == .head { response = response.createHeadResponse() }
        }
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

    private static func told(_ error: any Error) -> APIError {
        switch error {
        case let error as HTTPError where error.status == .notFound:
            APIError(.notFound, "there is nothing at this address", code: "not_found")
        case let error as HTTPError where error.status.code < 500:
            APIError(.badRequest, error.body ?? "the request makes no sense")
        case is NIOTooManyBytesError:
            APIError(.tooLarge, "the body is larger than this server takes", code: "body_too_large")
        default: APIError(error)
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
        guard case .tooLarge = error.kind else { return response }
        // What is left of the body is not read.
        response.headers[.connection] = "close"
        let channel = context.channel
        channel.eventLoop.scheduleTask(in: .seconds(1)) { channel.close(promise: nil) }
        return response
    }
}

extension Request {
    /// The bytes of the body.
    ///
    /// - Throws: ``APIError`` when there are too many.
    func bytes(_ limits: ServingLimits) async throws -> [UInt8] {
        if let length = headers[.contentLength].flatMap({ Int($0) }), length > limits.body {
            throw APIError(
                .tooLarge, "the body has \(length) bytes; this server takes \(limits.body)",
                code: "body_too_large")
        }
        do {
            let buffer = try await body.collect(upTo: limits.body)
            return Array(buffer.readableBytesView)
        } catch let error as NIOTooManyBytesError {
            throw error
        } catch {
            // A client that went, and no failure of the server's.
            throw APIError(
                .badRequest, "the request ended before its body did", code: "incomplete_body")
        }
    }
}
