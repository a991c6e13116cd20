internal import Cambium
internal import HTTPTypes
internal import Hummingbird
internal import Pages
internal import Pictures

extension Routes {
    /// The store in a browser.
    static func addSite(to router: Router<ServingContext>, _ site: Site, _ engine: Engine) {
        for path in Site.paths {
            router.get(RouterPath(path)) { request, _ in
                try await page(site, request, isPost: false, fields: request.uri.query ?? "")
            }
        }
        router.post(RouterPath(Site.mergePath)) { request, _ in
            let form = try await request.bytes(engine.limits)
            return try await page(
                site, request, isPost: true, fields: String(decoding: form, as: UTF8.self))
        }
    }

    private static func page(
        _ site: Site, _ request: Request, isPost: Bool, fields: String
    ) async throws -> Response {
        let asked = SiteRequest(
            isPost: isPost, path: request.uri.path, fields: try SiteRequest.fields(fields),
            host: request.head.authority, origin: request.headers[.origin],
            fetchSite: request.headers[.fetchSite])
        let answer = try await offPool { site.answer(asked) }
        var headers: HTTPFields = [
            .contentSecurityPolicy: Site.policy, .xContentTypeOptions: "nosniff",
            .cacheControl: "no-store", .referrerPolicy: "same-origin",
        ]
        switch answer {
        case .page(let markup, let status):
            headers[.contentType] = "text/html; charset=utf-8"
            return Response(
                status: .init(code: status), headers: headers,
                body: ResponseBody(byteBuffer: ByteBuffer(string: markup.text)))
        case .picture(let markup):
            headers[.contentType] = "image/svg+xml"
            return Response(
                status: .ok, headers: headers,
                body: ResponseBody(byteBuffer: ByteBuffer(string: markup.text)))
        case .redirect(let place):
            headers[.location] = place
            return Response(status: .seeOther, headers: headers)
        }
    }
}
