internal import Cambium

/// Why a request is not answered, as a client is told.
struct APIError: Error, Sendable {
    enum Kind: Sendable {
        case badRequest
        case unauthorized
        case forbidden
        case notFound
        case methodNotAllowed
        case tooLarge
        case misdirected
        case tooManyRequests
        case failed
        case unavailable
    }

    let kind: Kind
    let message: String
    /// The field of the request that is to blame.
    var field: String?
    /// A word for programs.
    var code: String?
    /// Seconds after which it is worth to try again.
    var retryAfter: Int?

    init(
        _ kind: Kind, _ message: String, field: String? = nil, code: String? = nil,
        retryAfter: Int? = nil
    ) {
        self.kind = kind
        self.message = message
        self.field = field
        self.code = code
        self.retryAfter = retryAfter
    }

    var status: Int {
        switch kind {
        case .badRequest: 400
        case .unauthorized: 401
        case .forbidden: 403
        case .notFound: 404
        case .methodNotAllowed: 405
        case .tooLarge: 413
        case .misdirected: 421
        case .tooManyRequests: 429
        case .failed: 500
        case .unavailable: 503
        }
    }

    /// The type that OpenAI's interface has for it.
    var openAIType: String {
        switch kind {
        case .unauthorized: "authentication_error"
        case .forbidden: "permission_error"
        case .tooManyRequests: "rate_limit_error"
        case .failed, .unavailable: "server_error"
        default: "invalid_request_error"
        }
    }
}

extension APIError: CustomStringConvertible {
    var description: String { message }
}

extension APIError {
    /// An error of the model or the store, as the client is told; what is not the client's doing says no more than
    /// that.
    init(_ error: any Error) {
        if let error = error as? APIError {
            self = error
            return
        }
        guard let error = error as? CambiumError else {
            self.init(.failed, "the server failed; its log says more", code: "internal")
            return
        }
        switch error.code {
        case .contextFull:
            self.init(.badRequest, error.message, code: "context_length_exceeded")
        case .badInput, .unsupported, .tooHard, .usage, .tooLarge:
            self.init(.badRequest, error.message, code: error.code.rawValue)
        case .cancelled:
            self.init(
                .unavailable, "the request took longer than the server allows", code: "timeout")
        case .network, .busy, .limit, .diskFull:
            self.init(
                .unavailable, "the model cannot be read now; the server's log says more",
                code: error.code.rawValue, retryAfter: 5)
        default:
            self.init(
                .failed, "the model failed (\(error.code.rawValue)); the server's log says more",
                code: error.code.rawValue)
        }
    }

    /// An error of looking for a model.
    init(finding model: String, _ error: any Error) {
        switch (error as? CambiumError)?.code {
        case .notFound, .ambiguous, .badRevision, .badName:
            let reason = (error as? CambiumError)?.message ?? ""
            self.init(
                .notFound, "there is no model \(quoted(model)): \(reason)", field: "model",
                code: "model_not_found")
        default: self.init(error)
        }
    }
}
