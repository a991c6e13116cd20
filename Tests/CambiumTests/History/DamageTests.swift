import Elements
import Foundation
import Objects
import Snapshots
import TestSupport
import Testing

@testable import Cambium

/// What broke: bytes that were read from the store went into new objects unchecked.
///
/// So one flipped bit got a new name that it matched, and no verification could find it any more.
@Suite("Damage is not passed on")
struct DamageTests {
    /// One way to make something new of what is stored.
    struct Operation: Sendable, CustomTestStringConvertible {
        let testDescription: String
        /// The checkpoint of main; the tiny one when nil.
        var checkpoint: String?
        /// The object that is damaged.
        let damaged: @Sendable (Store) throws -> ObjectID
        let run: @Sendable (Store, String) throws -> Void

        init(
            _ name: String, on checkpoint: String? = nil,
            damaging damaged: @escaping @Sendable (Store) throws -> ObjectID,
            _ run: @escaping @Sendable (Store, String) throws -> Void
        ) {
            testDescription = name
            self.checkpoint = checkpoint
            self.damaged = damaged
            self.run = run
        }
    }

    private static func expert(_ ordinal: Int) -> @Sendable (Store) throws -> ObjectID {
        { store in
            let entry = try store.experts("main", in: "0")[ordinal]
            return try #require(entry.id.flatMap { ObjectID(hex: $0) })
        }
    }

    private static func tensor(_ name: String) -> @Sendable (Store) throws -> ObjectID {
        { store in
            let tree = try store.tree("main")
            let routers = tree.layers.values.flatMap { $0.pools.values.map(\.router) }
            return try #require(
                (tree.trunk.tensors[name] ?? routers.compactMap { $0[name] }.first)?.id)
        }
    }

    private static func file(_ name: String) -> @Sendable (Store) throws -> ObjectID {
        { store in try #require(store.tree("main").files[name]) }
    }

    private static let keys = "model.layers.0.peer.sub_keys"
    private static let options = Checkpoints.options("something new")
    private static let text = Array("a text that is long enough for some windows of it".utf8)

    /// A patch of rows: (tensor, rows, columns), all 0.5.
    private static func patch(
        _ name: String, rows: [Int64], of shape: [Int], _ directory: String
    ) throws -> String {
        let count = shape.reduce(rows.count, *)
        let data = Data((0..<count).flatMap { _ in littleEndian(Float(0.5).bitPattern) })
        let numbers = Data(rows.flatMap { littleEndian($0) })
        let header: [String: Any] = [
            name: [
                "dtype": "F32", "shape": [rows.count] + shape, "data_offsets": [0, data.count],
            ],
            name + ".rows": [
                "dtype": "I64", "shape": [rows.count],
                "data_offsets": [data.count, data.count + numbers.count],
            ],
        ]
        let json = try JSONSerialization.data(withJSONObject: header, options: .sortedKeys)
        let path = directory + "/patch.safetensors"
        try (Data(littleEndian(UInt64(json.count))) + json + data + numbers).write(
            to: URL(filePath: path))
        return path
    }

    private static func train(_ store: Store, _ target: TrainTarget) throws {
        var options = TrainOptions(
            options, texts: [TrainTests.english], target: target, budget: .steps(2))
        options.windows = 2
        try store.train(options)
    }

    static let operations: [Operation] = [
        Operation("an export, of an expert", damaging: expert(5)) {
            _ = try $0.export("main", to: $1 + "/out")
        },
        Operation("an export, of a tensor", damaging: tensor("lm_head.weight")) {
            _ = try $0.export("main", to: $1 + "/out")
        },
        Operation("an export, of a file", damaging: file("config.json")) {
            _ = try $0.export("main", to: $1 + "/out")
        },
        Operation("a file that is read", damaging: file("config.json")) { store, _ in
            _ = try store.data("main", named: "config.json")
        },
        Operation("an expert that is read", damaging: expert(7)) { store, _ in
            _ = try store.expert("main", "0/7")
        },
        Operation("rows of a patched tensor", damaging: tensor(keys)) { store, directory in
            let path = try patch(keys, rows: [1], of: [4, 4], directory)
            _ = try store.commit(patchFile: path, options)
        },
        Operation("a part of a patched expert", damaging: expert(3)) { store, directory in
            let path = try patch(
                "model.layers.0.peer.down.weight", rows: [3], of: [8], directory)
            _ = try store.commit(patchFile: path, options)
        },
        Operation("quantised routers", damaging: tensor(keys)) { store, _ in
            try store.quantizeRouters(options)
        },
        Operation("an adapter, of a tensor of its base", damaging: tensor("lm_head.weight")) {
            store, _ in
            try train(store, .adapter("new", .dense))
        },
        Operation("a low-rank adapter, of an expert of its base", damaging: expert(5)) {
            store, _ in
            try train(store, .adapter("new", .lowRank(2)))
        },
        Operation("training the whole model, of an expert", damaging: expert(5)) { store, _ in
            try train(store, .model(freezesTrunk: false, freezesExperts: false))
        },
        Operation("training the whole model, of a tensor", damaging: tensor(keys)) { store, _ in
            try train(store, .model(freezesTrunk: false, freezesExperts: false))
        },
        Operation("squared gradients", damaging: expert(5)) { store, _ in
            try store.addSquaredGradients([text], options)
        },
        Operation("gram", damaging: tensor("model.embed_tokens.weight")) { store, _ in
            try store.addGramSums(
                [text], layer: 0, adapter: "base", target: .experts,
                assignments: [Assignments(experts: text.map { UInt32($0) % 16 })], options)
        },
        Operation("a diff's norms", damaging: expert(5)) { store, directory in
            var checkpoint = TinyCheckpoint()
            checkpoint.setExpert(5, to: 1)
            let path = try checkpoint.write(to: directory + "/other")
            try store.createBranch("other", at: "main", Checkpoints.signature)
            try store.commit(checkpoint: path, Checkpoints.options("other", branch: "other"))
            _ = try store.diff(from: "main", to: "other")
        },
        Operation(
            "an added expert, of a router", on: "hf/olmoe/model",
            damaging: tensor("model.layers.0.mlp.gate.weight")
        ) { store, _ in
            try store.addExpert(
                from: ExpertSource(Growth.model("olmoe"), expert: 1), evidence: [Growth.new],
                keep: [Growth.shortOld], growth: Growth.roughly, options)
        },
        Operation("an added expert, of another expert", on: "hf/olmoe/model", damaging: expert(0)) {
            store, _ in
            try store.addExpert(
                from: ExpertSource(Growth.model("olmoe"), expert: 1), evidence: [Growth.new],
                keep: [Growth.shortOld], growth: Growth.roughly, options)
        },
        Operation(
            "a dropped expert, of a router", on: "hf/olmoe/model",
            damaging: tensor("model.layers.0.mlp.gate.weight")
        ) { store, _ in
            _ = try store.dropExpert(nil, options)
        },
        Operation(
            "routes of a text", on: "hf/olmoe/model",
            damaging: tensor("model.layers.0.self_attn.q_proj.weight")
        ) { store, _ in
            try store.addRoutes([Growth.shortOld], options)
        },
    ]

    @Test(
        "into what is made of it: the error names the object, and the store is as it was",
        arguments: operations)
    func refused(operation: Operation) throws {
        try withScratchDirectory { directory in
            let store =
                if let name = operation.checkpoint {
                    try Growth.store(Checkpoints.path(name), in: directory)
                } else {
                    try Checkpoints.tinyStore(in: directory)
                }
            let id = try operation.damaged(store)
            let head = try store.snapshots.references().branches["main"]
            try store.snapshots.damage(id)
            let error = #expect(throws: CambiumError.self) { try operation.run(store, directory) }
            #expect(error?.code == .corrupt, "\(String(describing: error))")
            #expect(error?.message.contains(id.short) == true, "\(error?.message ?? "")")
            #expect(try store.snapshots.references().branches["main"] == head)
        }
    }

    @Test("a checkpoint that is committed again mends the store", arguments: [3, 15])
    func recommitted(ordinal: Int) throws {
        try withScratchDirectory { directory in
            let store = try Checkpoints.tinyStore(in: directory)
            let id = try Self.expert(ordinal)(store)
            try store.snapshots.damage(id)
            #expect(try !store.verify().faults.isEmpty)
            let again = try store.commit(
                checkpoint: directory + "/base", Checkpoints.options("again"))
            #expect(again.unchanged)
            #expect(try store.verify().faults.isEmpty)
            _ = try store.export("main", to: directory + "/out")
            let exported = try store.commit(
                checkpoint: directory + "/out", Checkpoints.options("exported"))
            #expect(exported.tree == again.tree)
        }
    }

    @Test("an expert that is patched with its intact bytes is mended")
    func patched() throws {
        try withScratchDirectory { directory in
            let store = try Checkpoints.tinyStore(in: directory)
            let intact = try store.expert("main", "0/3").data
            try store.snapshots.damage(Self.expert(3)(store))
            _ = try store.commit(Self.options) { patch in
                try patch.put(expert: 3, layer: 0, intact)
            }
            #expect(try store.verify().faults.isEmpty)
            #expect(try store.expert("main", "0/3").data == intact)
        }
    }
}
