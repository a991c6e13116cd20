internal import Cambium
internal import Foundation
internal import Hummingbird

/// What answers at which address.
///
/// Each group of addresses has a function that adds it to the router.
enum Routes {
    static func router(_ server: ServerState) -> Router<ServingContext> {
        let router = Router(context: ServingContext.self, options: .autoGenerateHeadEndpoints)
        router.add(middleware: Answering(metrics: server.engine.metrics))
        router.add(middleware: Access(apiKey: server.apiKey, hosts: server.hosts))
        addOperation(to: router, server)
        addModels(to: router, server.engine)
        addTexts(to: router, server.engine)
        addMessages(to: router, server.engine)
        addSite(to: router, server.site, server.engine)
        return router
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
            return Response.json(ModelsAnswer(models.map { ModelAnswer($0) }))
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
        router.post("/v1/completions") { request, context in
            try await CompletionRoute(engine: engine)
                .answer(request.bytes(engine.limits), context)
        }
        router.post("/v1/chat/completions") { request, context in
            try await ChatRoute(engine: engine).answer(request.bytes(engine.limits), context)
        }
        router.post("/v1/responses") { request, context in
            try await ResponsesRoute(engine: engine).answer(request.bytes(engine.limits), context)
        }
        router.post("/v1/embeddings") { request, context in
            try await EmbeddingsRoute(engine: engine).answer(request.bytes(engine.limits), context)
        }
    }

    /// Anthropic's interface.
    private static func addMessages(to router: Router<ServingContext>, _ engine: Engine) {
        router.post("/v1/messages") { request, context in
            try await MessagesRoute(engine: engine).answer(request.bytes(engine.limits), context)
        }
        router.post("/v1/messages/count_tokens") { request, context in
            try await MessagesRoute(engine: engine).count(request.bytes(engine.limits))
        }
    }
}

/// Which names came to mean other commits.
struct ReloadAnswer: Encodable, Sendable {
    let switched: [String]
}
