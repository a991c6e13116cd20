internal import Elements
internal import KeyValue

/// What a server says of a request that it did not do (REST error responses of S3).
struct S3Fault {
    /// Empty when it does not say.
    let code: String
    let message: String
    let region: String?

    init(_ response: HTTPResponse) {
        let root = try? XMLReader.document(response.body.copy())
        code = String((root?.text(of: "Code") ?? "").prefix(64).filter { $0.isLetter })
        message = String((root?.text(of: "Message") ?? "").trimmed.prefix(240))
        let region = response.headers["x-amz-bucket-region"] ?? root?.text(of: "Region")
        // It is printed as a word of a command.
        self.region = region.flatMap { text in
            let isName = text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                    UInt8(ascii: "-"):
                    true
                default: false
                }
            }
            return isName && (1...32).contains(text.utf8.count) ? text : nil
        }
    }
}

extension S3Requests {
    /// For an answer 404: nil when only the key is missing.
    ///
    /// - Throws: `remote` when there is no such bucket.
    func missing<Value>(_ response: HTTPResponse) throws -> Value? {
        guard S3Fault(response).code == "NoSuchBucket" else { return nil }
        throw noBucket()
    }

    private func noBucket() -> CambiumError {
        CambiumError(
            .remote,
            "there is no bucket \(quoted(bucket)) at \(endpoint.base); make it first, for example by "
                + "aws s3 mb s3://\(bucket), or see whether the endpoint is right")
    }

    func ignoresRanges() -> CambiumError {
        CambiumError(
            .remote,
            "\(url) at \(endpoint.base) answers with the whole object where a range of it was asked for; "
                + "a remote needs a server that keeps to Range")
    }

    func refusesConditions() -> CambiumError {
        CambiumError(
            .remote,
            "\(url) at \(endpoint.base) says that it has no conditional writes (501), so of two pushes at the "
                + "same time one could undo the other. Use a server that has If-None-Match, or say "
                + "--single-writer if nobody else ever pushes there")
    }

    /// The error for a status that the request should not have had.
    func failure(_ response: HTTPResponse, on key: String) -> CambiumError {
        let fault = S3Fault(response)
        let said =
            [fault.code, fault.message.isEmpty ? "" : quoted(fault.message)]
            .filter { !$0.isEmpty }.joined(separator: ": ")
        let answer = "\(url) at \(endpoint.base) answers \(response.status) to \(key)"
        let whole = answer + (said.isEmpty ? "" : " (\(said))")
        switch response.status {
        case 401, 403: return denied(fault, response, whole)
        case 301, 302, 303, 307, 308: return elsewhere(fault, whole)
        case 400 where fault.code == "AuthorizationHeaderMalformed" && fault.region != nil:
            return elsewhere(fault, whole)
        case 400 where ["ExpiredToken", "InvalidToken"].contains(fault.code):
            return denied(fault, response, whole)
        case 404 where fault.code == "NoSuchBucket": return noBucket()
        default: return CambiumError(.remote, whole)
        }
    }

    private func denied(
        _ fault: S3Fault, _ response: HTTPResponse, _ whole: String
    ) -> CambiumError {
        let advice: String
        switch fault.code {
        case "RequestTimeTooSkewed":
            let server =
                response.headers["date"].flatMap(ServerTime.http).map {
                    "the server's clock says \(ServerTime.basic($0)), "
                } ?? ""
            advice =
                "\(server)this machine's \(ServerTime.basic(secondsSince1970())): set the clock that is "
                + "wrong"
        case "ExpiredToken", "InvalidToken", "TokenRefreshRequired":
            advice = "get a new session token (AWS_SESSION_TOKEN)"
        case "SignatureDoesNotMatch":
            advice = "the secret key does not belong to the access key, or the region is another"
        case "InvalidAccessKeyId": advice = "the server does not know the access key"
        default:
            advice =
                "the credentials must let list, read, write and delete below the prefix; without leave "
                + "to list, S3 also answers so to keys that are missing"
        }
        return CambiumError(.denied, "\(whole); \(advice)")
    }

    private func elsewhere(_ fault: S3Fault, _ whole: String) -> CambiumError {
        let advice =
            fault.region.map { "the bucket is in the region \(quoted($0)): say --region \($0)" }
            ?? "the bucket is elsewhere: give the region or the endpoint that it has"
        return CambiumError(.remote, "\(whole); \(advice)")
    }
}
