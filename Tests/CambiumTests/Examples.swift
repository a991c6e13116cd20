import Cambium
import CheckpointSupport
import Foundation

/// The Swift code of README.md and of the API's comments, as a user would compile it: without `@testable`.
///
/// `ExamplesTests` compares each with its text and runs it in a directory that has the checkpoints `base` and
/// `branch-swahili`, a store `models` with another model on main, which has a chat template, and `tokenizer.json`.
enum Examples {
    static let all: [String: @Sendable () async throws -> Void] = [
        "README.md": readme, "Store.swift": store, "Store+Patch.swift": patch,
        "Changes.swift": changes, "Snapshot.swift": snapshot,
        "Operation.swift": operation,
        "Chat.swift": chat, "MappedModel+Chat.swift": conversation,
        "GenerationBatch.swift": batch, "Figures.swift": figures,
        "Tokenizer.swift": tokenizer, "Tokenizer.swift 2": stream,
    ]

    static func readme() throws {
        // EXAMPLE README.md
        try Store.create(at: "S")
        let store = try Store("S")
        try store.commit(checkpoint: "base", CommitOptions(message: "base"))
        try store.createBranch("swahili")
        try store.commit(
            checkpoint: "branch-swahili", CommitOptions(message: "round 1", branch: "swahili"))
        print(try store.diff(from: "main", to: "swahili").pools.map(\.changed.count))
        let old = try store.expert("swahili", "1/17").data  // u, then v, little-endian
        try store.commit(CommitOptions(message: "round 2", branch: "swahili")) {
            patch in
            try patch.put(expert: 17, layer: 1, [UInt8](repeating: 0, count: old.count))
        }
        let merge = try store.merge(["swahili"], into: "main")
        print(merge.kind, merge.conflicts.count)
        print(try store.model("main").generate(Array("Once".utf8), count: 80).text)
        // END
        // EXAMPLE README.md 2
        let models = try Store("models")
        print(try models.model("main").generate(tokens: [1, 178, 199], count: 16).tokens)
        // END
    }

    static func store() throws {
        // EXAMPLE Store.swift
        try Store.create(at: "S")
        let store = try Store("S")
        let round = try store.commit(checkpoint: "base", CommitOptions(message: "base"))
        print(try store.export(round.id, to: "out").files)
        // END
    }

    static func batch() throws {
        let model = try Store("models").model("main")
        // EXAMPLE GenerationBatch.swift
        let batch = try GenerationBatch(model, threads: 2)
        let key = try batch.add(
            TextRequest(prompt: model.promptTokens(of: Array("Once".utf8)), count: 20))
        while batch.count > 0 {
            for step in try batch.step() where step.key == key {
                print(String(decoding: step.bytes, as: UTF8.self))
            }
        }
        // END
    }

    static func figures() throws {
        let store = try Examples.base()
        // EXAMPLE Figures.swift
        let figures = try store.figures()
        print(figures.forgetting().domains.map(\.name))
        // END
    }

    static func patch() throws {
        let store = try Examples.base()
        let bytes = [UInt8](repeating: 0, count: 256)
        // EXAMPLE Store+Patch.swift
        try store.commit(CommitOptions(message: "round 2")) { patch in
            try patch.put(expert: 17, layer: 1, bytes)
        }
        // END
    }

    static func changes() throws {
        let store = try Examples.base()
        let running = try store.resolve("main")
        try store.commit(checkpoint: "branch-swahili", CommitOptions(message: "step"))
        var weights: [String: [UInt8]] = [:]
        try store.changes(from: running, to: "main").forEach { change in
            weights[change.name] = [UInt8](repeating: 0, count: 4 * change.shape.reduce(1, *))
        }
        // EXAMPLE Changes.swift
        let changes = try store.changes(from: running, to: "main")
        try changes.apply(to: &weights)  // weights: [String: [UInt8]], by the checkpoint's names
        try changes.write(to: "step.safetensors")  // for `commit --patch`
        // END
    }

    static func snapshot() throws {
        let store = try Examples.base()
        // EXAMPLE Snapshot.swift
        let snapshot = try store.snapshot("main")
        let row = try snapshot.data(of: "model.embed_tokens.weight", rows: 17..<18)
        // END
        precondition(row.count > 0)
    }

    static func operation() async throws {
        let store = try Examples.base()
        // EXAMPLE Operation.swift
        let export = store.begin { try $0.export("main", to: "out", progress: $1) }
        for await step in export.progress { print(step.phase, step.done, "of", step.total) }
        print(try await export.value.files)
        // END
    }

    static func chat() throws {
        let model = try Store("models").model("main")
        // EXAMPLE Chat.swift
        var chat = Chat(system: "Answer in one line.")
        chat.add("user", "What is 3 + 4?")
        let answer = try model.generate(chat, count: 100)
        // END
        precondition(!answer.bytes.isEmpty)
    }

    static func conversation() throws {
        let model = try Store("models").model("main")
        // EXAMPLE MappedModel+Chat.swift
        let conversation = try Conversation(model, Chat(system: "Be brief."))
        conversation.chat.add("user", "Hello")
        let answer = try conversation.answer(count: 100)
        // END
        precondition(!answer.bytes.isEmpty && conversation.chat.count == 3)
    }

    static func tokenizer() throws {
        let url = URL(filePath: "tokenizer.json")
        // EXAMPLE Tokenizer.swift
        let tokenizer = try Tokenizer(json: Array(Data(contentsOf: url)))
        let ids = try tokenizer.encode("Once upon a time")
        print(tokenizer.decode(ids))  // Once upon a time
        // END
        precondition(tokenizer.decode(ids) == "Once upon a time")
    }

    static func stream() throws {
        let tokenizer = try Tokenizer(
            json: Array(Data(contentsOf: URL(filePath: "tokenizer.json"))))
        let generated = try tokenizer.encode("Once upon a time")
        // EXAMPLE Tokenizer.swift 2
        var stream = Tokenizer.Stream(tokenizer)
        for id in generated { print(stream.push(id), terminator: "") }
        print(stream.finish())
        // END
    }

    private static func base() throws -> Store {
        try Store.create(at: "S")
        let store = try Store("S")
        try store.commit(checkpoint: "base", CommitOptions(message: "base"))
        return store
    }
}
