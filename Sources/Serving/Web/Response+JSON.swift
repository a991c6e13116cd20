internal import HTTPTypes
internal import Hummingbird
internal import Reporting

extension Response {
    /// An answer in JSON.
    ///
    /// - Parameter commit: Of the model that answers; nil for none.
    static func json(
        _ value: some Encodable, status: HTTPResponse.Status = .ok, commit: String? = nil
    ) -> Response {
        var headers: HTTPFields = [.contentType: "application/json"]
        if let commit { headers[.commit] = commit }
        return Response(
            status: status, headers: headers,
            body: ResponseBody(byteBuffer: ByteBuffer(string: JSONText.encode(value) + "\n")))
    }

    /// An answer in plain text.
    static func text(_ text: String, type: String = "text/plain; charset=utf-8") -> Response {
        Response(
            status: .ok, headers: [.contentType: type],
            body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
    }
}
