internal import CCurl
internal import Elements
internal import Synchronization

/// One request, as it is signed.
struct HTTPRequest {
    let method: String
    let url: String
    let headers: [(name: String, value: String)]
    /// The body of a PUT, in pieces.
    var pieces: [MappedBytes] = []
    /// A longer answer is an error, before it fills memory.
    let limit: Int
}

/// What a server answered.
struct HTTPResponse {
    let status: Int
    /// By names in lower case.
    let headers: [String: String]
    let body: MappedBytes
    /// Whether the end of the body was told by its length or by chunks, not by the connection's end.
    let isFramed: Bool
}

/// What came of a request.
enum HTTPOutcome {
    case answered(HTTPResponse)
    /// The connection failed, and another may not: what libcurl says of it.
    case broken(String)
    /// The body has more bytes than the request allows.
    case tooLong(status: Int)
}

/// Connections of libcurl to one server: each is kept for the next request of any thread.
final class HTTPConnections: Sendable {
    private let caFile: String?
    private let slowestRate: Int
    /// Bytes that are sent at once, so that a limit lets them go evenly; 0 for as many as libcurl takes.
    private let step: Int
    private let traffic: Traffic
    /// Those that no request uses; a forked process has none of its parent's.
    private let idle = ProcessState<[Handle]>([])

    /// A connection that is not made, or moves less than it should, for so many seconds is given up.
    private static let connectSeconds = 20
    private static let slowSeconds = 60
    private static let errorLimit = 64 << 10

    /// One handle of libcurl.
    ///
    /// "You must never share the same handle in multiple threads" at the same time (libcurl-thread(3)): it is out of
    /// the list while it is used.
    @safe private final class Handle: @unchecked Sendable {
        private let pointer: UnsafeMutableRawPointer

        init() throws {
            if let reason = unsafe cambium_http_failure() {
                throw CambiumError(.remote, unsafe String(cString: reason))
            }
            guard let pointer = unsafe cambium_http_open() else {
                throw CambiumError(.limit, "there is no memory for a connection")
            }
            unsafe self.pointer = unsafe pointer
        }

        deinit { unsafe cambium_http_close(pointer) }

        func perform(_ request: cambium_http_request) -> cambium_http_response {
            var response = unsafe cambium_http_response()
            unsafe withUnsafePointer(to: request) {
                unsafe cambium_http_perform(pointer, $0, &response)
            }
            return unsafe response
        }
    }

    /// Told what moves while a request is under way; what it throws ends the request.
    private final class Watch: Sendable {
        private let traffic: Traffic
        private let failure = Mutex<(any Error)?>(nil)

        init(_ traffic: Traffic) { self.traffic = traffic }

        func moved(_ isSent: Bool, _ count: Int) -> Bool {
            do {
                try isSent ? traffic.sent(count) : traffic.received(count)
                return true
            } catch {
                failure.withLock { $0 = error }
                return false
            }
        }

        func check() throws { if let failure = failure.withLock({ $0 }) { throw failure } }
    }

    /// A body that libcurl's shim allocated.
    @safe private final class Body: @unchecked Sendable {
        // Only read, and freed here.
        private var response: cambium_http_response

        init(_ response: cambium_http_response) { unsafe self.response = unsafe response }

        deinit { unsafe cambium_http_free(&response) }
    }

    init(caFile: String?, traffic: Traffic) {
        self.caFile = caFile
        self.traffic = traffic
        // A limit must not be taken for a server that hangs, however many share it.
        slowestRate = traffic.rate.map { max(1, min(1 << 10, $0 / 64)) } ?? 1 << 10
        step = traffic.rate.map { max(1 << 10, $0 / 20) } ?? 0
    }

    /// Sends a request and waits for the answer, whatever its status.
    ///
    /// - Throws: `network` for what another try would not mend: a certificate that is not trusted;
    ///   `cancelled`; `remote` without libcurl.
    func perform(_ request: HTTPRequest) throws -> HTTPOutcome {
        let handle = try idle.withLock { $0.popLast() } ?? Handle()
        let watch = Watch(traffic)
        let response = unsafe perform(request, on: handle, watch)
        let body = unsafe Body(response)
        // After anything else nobody knows what state a handle is in: it is closed.
        if unsafe response.end == CAMBIUM_HTTP_WHOLE { idle.withLock { $0.append(handle) } }
        try watch.check()
        let message = unsafe withUnsafeBytes(of: response.message) { bytes in
            unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        switch unsafe response.end {
        case CAMBIUM_HTTP_WHOLE: break
        case CAMBIUM_HTTP_BROKEN: return .broken(message)
        case CAMBIUM_HTTP_TOO_LONG:
            return .tooLong(status: unsafe response.status)
        case CAMBIUM_HTTP_NO_MEMORY:
            throw CambiumError(.limit, "there is no memory for the answer")
        default: throw CambiumError(.network, message)
        }
        let headers = unsafe response.headers.map { unsafe String(cString: $0) } ?? ""
        let bytes = unsafe UnsafeRawBufferPointer(
            start: response.body, count: response.body_count)
        return .answered(
            HTTPResponse(
                status: unsafe response.status, headers: Self.fields(headers),
                body: unsafe MappedBytes(bytes, owner: body), isFramed: unsafe response.is_framed))
    }

    private func perform(
        _ request: HTTPRequest, on handle: Handle, _ watch: Watch
    ) -> cambium_http_response {
        let lines = request.headers.map { "\($0.name): \($0.value)\n" }.joined()
        let pieces = unsafe request.pieces.map {
            unsafe cambium_http_piece(bytes: $0.start, count: $0.count)
        }
        return unsafe withExtendedLifetime(request.pieces) {
            unsafe request.method.withCString { method in
                unsafe request.url.withCString { url in
                    unsafe lines.withCString { lines in
                        unsafe pieces.withUnsafeBufferPointer { pieces in
                            var call = unsafe cambium_http_request()
                            unsafe call.method = method
                            unsafe call.url = url
                            unsafe call.headers = lines
                            unsafe call.pieces = pieces.baseAddress
                            unsafe call.piece_count = pieces.count
                            unsafe call.connect_seconds = Self.connectSeconds
                            unsafe call.slow_bytes = slowestRate
                            unsafe call.slow_seconds = Self.slowSeconds
                            unsafe call.step = step
                            unsafe call.limit = request.limit
                            unsafe call.error_limit = Self.errorLimit
                            unsafe call.context = Unmanaged.passUnretained(watch).toOpaque()
                            unsafe call.moved = { context, isSent, count in
                                guard let context = unsafe context else { return false }
                                return unsafe Unmanaged<Watch>.fromOpaque(context)
                                    .takeUnretainedValue().moved(isSent, count)
                            }
                            guard let caFile else { return unsafe handle.perform(call) }
                            return unsafe caFile.withCString {
                                unsafe call.ca_file = $0
                                return unsafe handle.perform(call)
                            }
                        }
                    }
                }
            }
        }
    }

    /// The fields of a block of headers; of equal names the first.
    private static func fields(_ block: String) -> [String: String] {
        var fields: [String: String] = [:]
        for line in block.split(whereSeparator: \.isNewline) {
            guard let colon = line.firstIndex(of: ":") else { continue }
            let name = line[..<colon].lowercased()
            if fields[name] == nil {
                fields[name] = String(line[line.index(after: colon)...]).trimmed
            }
        }
        return fields
    }
}
