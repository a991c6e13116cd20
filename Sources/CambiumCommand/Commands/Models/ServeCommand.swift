internal import ArgumentParser
internal import Cambium
internal import ServeArguments

struct ServeCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Serve every branch over HTTP, as OpenAI's interface has it.",
        discussion: """
            A model's name is a revision: main, a tag, main~2, or main@3f2a91 for that commit of main. New \
            heads answer as soon as they are there; requests under way end as they began. Requests run \
            together, each with the text that it would get alone.

            cambium serve
            cambium serve main --port 8000 --memory-limit 4G
            cambium serve --host 0.0.0.0 --api-key-file key.txt
            cambium serve --allow-edit        # http://127.0.0.1:8080 in a browser

            curl http://127.0.0.1:8080/v1/models
            curl http://127.0.0.1:8080/v1/completions \\
              -d '{"model": "main", "prompt": "Once", "max_tokens": 50}'

            The server is a program of its own, cambium-serve, which this command starts from beside \
            itself. docs/serving.md has all addresses. Put a proxy with TLS (Caddy, nginx) in front of it \
            where others than this machine ask.
            """)

    @OptionGroup(title: "Serving") var serve: ServeArguments
    @OptionGroup var global: GlobalOptions

    func run(_ console: Console) throws {
        let store = try global.storePath()
        let folder = Terminal.program.split(separator: "/", omittingEmptySubsequences: false)
        let program = (folder.dropLast() + ["cambium-serve"]).joined(separator: "/")
        var arguments = Invocation.ordered(Array(CommandLine.arguments.dropFirst()))
        arguments.removeFirst()
        if global.store == nil { arguments = ["--store", store] + arguments }
        let failure = Terminal.become(program, arguments)
        guard failure.code == CambiumError.Code.notFound.rawValue else { throw failure }
        throw Failure(
            .notFound, "the server is not there: \(program)",
            hint: "in Cambium's repository: swift build -c release --product cambium-serve")
    }
}
