internal import Cambium
internal import Foundation
internal import Hummingbird

/// What answers at which address.
///
/// Each group of addresses has a function that adds it to the router.
enum Routes {
    static func router(_ server: ServerState) -> Router<ServingContext> {
        let plain = Router(context: ServingContext.self)
        addAll(to: plain, server)
        let router = Router(context: ServingContext.self, options: .autoGenerateHeadEndpoints)
        router.add(
            middleware: Answering(
                metrics: server.engine.metrics, methods: RouteMethods(plain)))
        router.add(middleware: Access(apiKey: server.apiKey, hosts: server.hosts))
        addAll(to: router, server)
        return router
    }

    private static func addAll(to router: Router<ServingContext>, _ server: ServerState) {
        addOperation(to: router, server)
        addModels(to: router, server.engine)
        addTexts(to: router, server.engine)
        addMessages(to: router, server.engine)
        addSite(to: router, server.site, server.engine)
    }

    /// How the server is.
    private static func addOperation(to router: Router<ServingContext>, _ server: ServerState) {
        let engine = server.engine
        router.get("/health") { _, _ in Response.text("ok\n") }
        router.get("/ready") { _, _ in
            guard server.isReady else {
                throw APIError(.unavailable, "not ready yet, or about to stop", code: "not_ready")
            }
            return Response.text("ready\n")
        }
        router.get("/metrics") { _, _ in
            Response.text(engine.metrics.text(engine), type: "text/plain; version=0.0.4")
        }
        router.post("/v1/reload") { _, _ in
            Response.json(ReloadAnswer(switched: try await engine.heads.lookAgain()))
        }
    }

    /// The models that there are.
    private static func addModels(to router: Router<ServingContext>, _ engine: Engine) {
        router.get("/v1/models") { _, _ in
            let models = try engine.store.branches() + engine.store.tags()
            return Response.json(
                ModelsAnswer(
                    try models.map { model in
                        guard let pinned = engine.heads.pinnedCommit(of: model.name) else {
                            return ModelAnswer(model)
                        }
                        return ModelAnswer(model.name, try engine.store.show(pinned))
                    }))
        }
        // Names of branches have slashes.
        router.get("/v1/models/**") { _, context in
            let name = context.parameters.getCatchAll()
                .map { $0.removingPercentEncoding ?? String($0) }
                .joined(separator: "/")
            let commit = try engine.heads.commit(of: name)
            return Response.json(
                ModelAnswer(name, try engine.store.show(commit)), commit: commit)
        }
    }

    /// What writes text.
    private static func addTexts(to router: Router<ServingContext>, _ engine: Engine) {
        addBody(to: router, "/v1/completions", engine, CompletionRoute(engine: engine).answer)
        addBody(to: router, "/v1/chat/completions", engine, ChatRoute(engine: engine).answer)
        addBody(to: router, "/v1/responses", engine, ResponsesRoute(engine: engine).answer)
        addBody(to: router, "/v1/embeddings", engine, EmbeddingsRoute(engine: engine).answer)
    }

    /// Anthropic's interface.
    private static func addMessages(to router: Router<ServingContext>, _ engine: Engine) {
        let route = MessagesRoute(engine: engine)
        addBody(to: router, "/v1/messages", engine, route.answer)
        addBody(to: router, "/v1/messages/count_tokens", engine) { body, _ in
            try await route.count(body)
        }
    }

    /// What answers a body.
    private static func addBody(
        to router: Router<ServingContext>, _ path: RouterPath, _ engine: Engine,
        _ answer: @escaping @Sendable ([UInt8], ServingContext) async throws -> Response
    ) {
        router.post(path) { request, context in
            try await request.withBody(engine, context) { try await answer($0, context) }
        }
    }
}

/// Which names came to mean other commits.
struct ReloadAnswer: Encodable, Sendable {
    let switched: [String]
}
