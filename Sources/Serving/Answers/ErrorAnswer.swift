/// An error as OpenAI's interface tells it.
struct ErrorAnswer: Encodable, Sendable {
    struct Detail: Encodable, Sendable {
        let message: String
        let type: String
        let param: OrNull<String>
        let code: OrNull<String>
    }

    let error: Detail

    init(_ error: APIError) {
        self.error = Detail(
            message: error.message, type: error.openAIType, param: OrNull(error.field),
            code: OrNull(error.code))
    }
}
