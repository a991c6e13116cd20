internal import Cambium
internal import HTTPTypes
internal import Hummingbird
internal import Pages
internal import Pictures

extension Routes {
    /// The store in a browser.
    static func addSite(to router: Router<ServingContext>, _ site: Site, _ engine: Engine) {
        for path in Site.paths {
            router.get(RouterPath(path)) { request, context in
                let asked = try SiteRequest(request, isPost: false, request.uri.query ?? "")
                return try await page(site, engine, asked, context)
            }
        }
        router.post(RouterPath(Site.mergePath)) { request, context in
            try await request.withBody(engine, context) { form in
                let asked = try SiteRequest(
                    request, isPost: true, String(decoding: form, as: UTF8.self))
                return try await page(site, engine, asked, context)
            }
        }
    }

    private static func page(
        _ site: Site, _ engine: Engine, _ asked: SiteRequest, _ context: ServingContext
    ) async throws -> Response {
        var asked = asked
        if let trial = site.trial(of: asked) {
            do {
                for revision in trial.revisions {
                    asked.texts[revision] = try await engine.text(of: trial, by: revision, context)
                }
            } catch let error as APIError {
                return response(site.problem(error.message, status: error.status))
            }
        }
        let whole = asked
        return response(try await engine.pages.run { site.answer(whole) })
    }

    private static func response(_ answer: SiteAnswer) -> Response {
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

extension SiteRequest {
    fileprivate init(_ request: Request, isPost: Bool, _ fields: String) throws {
        self.init(
            isPost: isPost, path: request.uri.path, fields: try SiteRequest.fields(fields),
            host: request.head.authority, origin: request.headers[.origin],
            fetchSite: request.headers[.fetchSite])
    }
}

extension Engine {
    /// What a revision's model goes on with a prompt with, in turns with all other requests.
    fileprivate func text(
        of trial: Trial, by revision: String, _ context: ServingContext
    ) async throws -> TrialText {
        var wishes = TextWishes()
        wishes.temperature = 0
        wishes.count = min(trial.count, limits.tokens)
        let place = try reserve(1, wishes)
        do {
            let loaded = try await heads.model(revision)
            let tokens = try await reading.run { try loaded.model.promptTokens(of: trial.prompt) }
            let work = try start([tokens], wishes, in: place, on: loaded, of: context.client)
            await context.cancel(work)
            var bytes: [UInt8] = []
            for await (_, event) in work.events {
                switch event {
                case .step(let step): bytes += step.bytes
                case .failed(let error): throw error
                }
            }
            return TrialText(loaded.model, bytes)
        } catch {
            throw metrics.told(error)
        }
    }
}
