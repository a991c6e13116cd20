import Foundation
import TestSupport
import Testing

@testable import Cambium

@Suite("Merges that keep alternatives")
struct AlternativesTests {
    /// A store with a base on main, and branches that changed one expert each, `a` and `b` the same one.
    private func store(
        in directory: String,
        _ edits: [(branch: String, expert: Int, value: Float)] = [
            ("a", 3, 0.5), ("b", 3, -0.25),
        ]
    ) throws -> Store {
        let store = try Checkpoints.tinyStore(in: directory)
        for (branch, expert, value) in edits {
            var checkpoint = TinyCheckpoint()
            checkpoint.setExpert(expert, to: value)
            try store.createBranch(branch, at: "main", Checkpoints.signature)
            _ = try store.commit(
                checkpoint: checkpoint.write(to: "\(directory)/\(branch)"),
                Checkpoints.options(branch, branch: branch))
        }
        return store
    }

    private func merge(
        _ store: Store, _ revisions: [String], into branch: String
    ) throws -> MergeResult {
        try store.merge(
            revisions, into: branch, policy: .alternatives, Checkpoints.signature)
    }

    private func bytes(_ path: String) throws -> Data {
        try Data(contentsOf: URL(filePath: path + "/model.safetensors"))
    }

    @Test("each side's bytes come back, nothing of the base changes, and the order does not matter")
    func sides() throws {
        try withScratchDirectory { directory in
            let store = try store(in: directory)
            try store.createBranch("keep", at: "a", Checkpoints.signature)
            let one = try merge(store, ["b"], into: "a")
            #expect(one.kind == .merged && one.conflicts.isEmpty)
            try store.createBranch("c", at: "b", Checkpoints.signature)
            try store.deleteBranch("a", Checkpoints.signature)
            try store.createBranch("a", at: "keep", Checkpoints.signature)
            let other = try merge(store, ["a"], into: "b")
            #expect(one.tree == other.tree)
            #expect(try store.adapters("b") == ["a", "b"])
            for name in ["a", "b"] {
                _ = try store.export("b", to: "\(directory)/x-\(name)", alternative: name)
                #expect(try bytes("\(directory)/x-\(name)") == bytes("\(directory)/\(name)"))
            }
            _ = try store.export("b", to: directory + "/plain", isPlain: true)
            #expect(try bytes(directory + "/plain") == bytes(directory + "/base"))
            #expect(throws: CambiumError.self) {
                try store.export("b", to: directory + "/whole")
            }
            let none = #expect(throws: CambiumError.self) {
                try store.export("b", to: directory + "/none", alternative: "c")
            }
            #expect(none?.code == .notFound)
            #expect(try store.show("b").metadata["merge.policy"] == "alternatives")
            #expect(try store.verify().faults.isEmpty)
            _ = try store.collect(prune: true)
            #expect(try Store(store.path).verify().faults.isEmpty)
        }
    }

    @Test("where nothing is in conflict it is an ordinary merge")
    func ordinary() throws {
        try withScratchDirectory { directory in
            let store = try store(in: directory, [("a", 1, 0.5), ("b", 2, 0.25)])
            let plain = try store.merge(
                ["a", "b"], into: "main", dryRun: true, Checkpoints.signature)
            let merged = try merge(store, ["a", "b"], into: "main")
            #expect(merged.tree == plain.tree && merged.kind == .merged)
            #expect(try store.adapters("main").isEmpty)
            #expect(try merge(store, ["main"], into: "a").kind == .fastForward)
            #expect(try merge(store, ["main"], into: "a").kind == .upToDate)
        }
    }

    @Test(
        "without evidence the models themselves pick, and an alternative alone answers for its text"
    )
    func likelihood() throws {
        try withScratchDirectory { directory in
            let store = try store(in: directory, [("a", 3, 9), ("b", 3, -9)])
            _ = try merge(store, ["b"], into: "a")
            let text = try Array(Checkpoints.text("shakespeare").prefix(400))
            let model = try store.model("a")
            let one = try model.evaluate(text)
            let again = try model.evaluate(text, threads: 2)
            #expect(again.bitsPerByte == one.bitsPerByte && again.adapters == one.adapters)
            let alone = try ["main", "b"].map { try store.model($0).evaluate(text).bitsPerByte }
            #expect(one.bitsPerByte <= (alone.max() ?? 0) + 0.1)
            let counts = one.adapters
            #expect(Set(counts.keys) == ["base", "a", "b"])
            #expect(abs(counts.values.reduce(0, +) - 1) < 1e-9)
            let prompts = [Array("to be".utf8), Array("12 + 3".utf8)]
            let together = try model.generate(prompts: prompts, count: 8)
            for (prompt, answer) in zip(prompts, together) {
                #expect(try model.generate(prompt, count: 8).text == answer.text)
            }
        }
    }

    @Test(
        "what sides counted of their texts is their alternative's, and the gate is solved from it")
    func evidence() throws {
        try withScratchDirectory { directory in
            let store = try store(in: directory, [])
            func count(_ text: String, _ branch: String) throws {
                let text = Array(String(repeating: text, count: 30).utf8)
                _ = try store.addEvidence(
                    [text], adapter: "base", Checkpoints.options("count", branch: branch))
            }
            try count("to be or not to be, ", "main")
            for (branch, value, text) in [
                ("a", Float(1), "moja mbili tatu "), ("b", 2, "1 + 1 = 2; "),
            ] {
                var checkpoint = TinyCheckpoint()
                checkpoint.setExpert(3, to: value)
                try store.createBranch(branch, at: "main", Checkpoints.signature)
                _ = try store.commit(
                    checkpoint: checkpoint.write(to: "\(directory)/\(branch)"),
                    Checkpoints.options(branch, branch: branch))
                try count(text, branch)
            }
            try store.createBranch("m", at: "b", Checkpoints.signature)
            _ = try merge(store, ["a"], into: "b")
            let gate = try store.gate("b")
            func classes(_ revision: String) throws -> Set<String> {
                Set(try store.evidence(revision).map(\.adapter))
            }
            #expect(try classes("b") == ["a", "b", "base"])
            #expect(gate.shares(after: Array("moja mbili".utf8)).first?.adapter == "a")
            #expect(gate.shares(after: Array("1 + 1 = ".utf8)).first?.adapter == "b")
            // Exported, one is the model of its side, whose counts are the base's.
            for side in ["a", "b"] {
                _ = try store.export("b", to: "\(directory)/alone-\(side)", alternative: side)
                let again = try store.commit(
                    checkpoint: "\(directory)/alone-\(side)",
                    Checkpoints.options("again", branch: "again-\(side)"))
                #expect(try again.tree == store.show(side == "a" ? "a" : "m").tree)
            }
            // Forgotten, the other's evidence stays; resolved, it is the base's.
            try store.createBranch("f", at: "b", Checkpoints.signature)
            _ = try store.forget("a", Checkpoints.options("forget", branch: "f"))
            #expect(try store.adapters("f") == ["b"])
            #expect(try classes("f") == ["b", "base"])
            _ = try store.resolve(taking: "b", branch: "b", Checkpoints.signature)
            #expect(try classes("b") == ["base"])
            #expect(try store.show("b").tree == store.show("m").tree)
            #expect(try store.verify().faults.isEmpty)
        }
    }

    @Test("resolved by taking one, or by a policy, the model is that of the sides")
    func resolve() throws {
        try withScratchDirectory { directory in
            let store = try store(in: directory)
            try store.createBranch("mean", at: "a", Checkpoints.signature)
            let mean = try store.merge(
                ["b"], into: "mean", policy: .mean, Checkpoints.signature)
            _ = try merge(store, ["b"], into: "a")
            for (name, folder) in [("a", "a"), ("b", "b"), ("base", "base")] {
                try store.createBranch("r-\(name)", at: "a", Checkpoints.signature)
                let done = try store.resolve(
                    taking: name, branch: "r-\(name)", Checkpoints.signature)
                #expect(done.kind == .merged)
                _ = try store.export("r-\(name)", to: "\(directory)/r-\(name)")
                #expect(try bytes("\(directory)/r-\(name)") == bytes("\(directory)/\(folder)"))
            }
            let listed = try store.resolve(by: .none, branch: "a", Checkpoints.signature)
            #expect(listed.conflicts.map(\.path) == ["0/3"] && listed.commit == nil)
            #expect(listed.conflicts[0].sides == ["a", "b"])
            let resolved = try store.resolve(by: .mean, branch: "a", Checkpoints.signature)
            #expect(resolved.tree == mean.tree && resolved.resolved == 1)
            for (code, body) in [
                (CambiumError.Code.notFound, { _ = try store.resolve(taking: "a", branch: "a") }),
                (.notFound, { _ = try store.resolve(taking: "zz", branch: "r-a") }),
                (.usage, { _ = try store.resolve(by: .fisher, branch: "b") }),
            ] as [(CambiumError.Code, () throws -> Void)] {
                let error = #expect(throws: CambiumError.self) { try body() }
                #expect(error?.code == code || error?.code == .notFound)
            }
        }
    }

    @Test(
        "a further branch that changed the base becomes one more; without the policy it is refused")
    func further() throws {
        try withScratchDirectory { directory in
            let edits: [(String, Int, Float)] = [("a", 3, 0.5), ("b", 3, -0.25), ("c", 5, 0.75)]
            let store = try store(in: directory, edits)
            try store.createBranch("all", at: "a", Checkpoints.signature)
            _ = try merge(store, ["b"], into: "a")
            let error = #expect(throws: CambiumError.self) {
                try store.merge(["c"], into: "a", policy: .mean, Checkpoints.signature)
            }
            #expect(error?.code == .incompatible)
            #expect(error?.message.contains("alternatives") == true)
            let merged = try merge(store, ["c"], into: "a")
            #expect(merged.kind == .merged)
            #expect(try store.adapters("a") == ["a", "b", "c"])
            _ = try store.export("a", to: directory + "/x", alternative: "c")
            #expect(try bytes(directory + "/x") == bytes(directory + "/c"))
            // All at once, the same but for the name of the target.
            _ = try merge(store, ["c", "b"], into: "all")
            #expect(try store.adapters("all") == ["all", "b", "c"])
        }
    }

    @Test("files in conflict stay so, and decisions, other shapes and several bases are refused")
    func refused() throws {
        try withScratchDirectory { directory in
            let store = try store(in: directory)
            let take = #expect(throws: CambiumError.self) {
                try store.merge(
                    ["b"], into: "a", policy: .alternatives, takes: [MergeTake("0/3=a")],
                    Checkpoints.signature)
            }
            #expect(take?.code == .usage)
            for branch in ["a", "b"] {
                let path = "\(directory)/\(branch)"
                try Data(branch.utf8).write(to: URL(filePath: path + "/tokenizer_config.json"))
                _ = try store.commit(
                    checkpoint: path, Checkpoints.options(branch, branch: branch))
            }
            let files = try merge(store, ["b"], into: "a")
            #expect(files.kind == .conflicts && files.conflicts.map(\.kind) == ["file"])
            // Merged criss-cross there is no one model that both are alternatives to.
            try FileManager.default.createDirectory(
                atPath: directory + "/crossed", withIntermediateDirectories: true)
            let crossed = try self.store(in: directory + "/crossed")
            try crossed.createBranch("left", at: "a", Checkpoints.signature)
            _ = try crossed.merge(["b"], into: "a", policy: .ours, Checkpoints.signature)
            _ = try crossed.merge(["left"], into: "b", policy: .ours, Checkpoints.signature)
            let bases = #expect(throws: CambiumError.self) {
                try merge(crossed, ["b"], into: "a")
            }
            #expect(bases?.code == .usage && bases?.message.contains("2 merge bases") == true)
        }
    }

    @Test("another tokenizer or way to run is refused, another spelling of the config is not")
    func configs() throws {
        try withScratchDirectory { directory in
            let store = try store(in: directory)
            func commit(_ branch: String, _ name: String, _ edit: (inout TinyCheckpoint) -> Void)
                throws
            {
                var checkpoint = TinyCheckpoint()
                checkpoint.setExpert(3, to: 7)
                edit(&checkpoint)
                try store.createBranch(branch, at: "main", Checkpoints.signature)
                let path = try checkpoint.write(to: "\(directory)/\(branch)")
                if !name.isEmpty {
                    try Data("{}".utf8).write(to: URL(filePath: "\(path)/\(name)"))
                }
                _ = try store.commit(
                    checkpoint: path, Checkpoints.options(branch, branch: branch))
            }
            try commit("theta", "") { $0.config["rope_theta"] = 5_000 }
            try commit("words", "tokenizer.json") { _ in }
            try commit("note", "") { $0.config["note"] = "mine" }
            for (name, what) in [
                ("theta", "another configuration"), ("words", "another tokenizer"),
            ] {
                let error = #expect(throws: CambiumError.self) {
                    try merge(store, [name], into: "a")
                }
                #expect(error?.code == .incompatible && error?.message.contains(what) == true)
            }
            #expect(try merge(store, ["note"], into: "a").kind == .merged)
            #expect(
                try store.data("a", named: "config.json")
                    == store.data("main", named: "config.json"))
            _ = try store.export("a", to: directory + "/x", alternative: "note")
            #expect(try bytes(directory + "/x") == bytes(directory + "/note"))
            // A further one finds the base as it is.
            #expect(try merge(store, ["b"], into: "a").kind == .merged)
            #expect(try store.adapters("a") == ["a", "b", "note"])
            let error = #expect(throws: CambiumError.self) {
                try store.restore(["theta:config.json"], Checkpoints.options("x", branch: "a"))
            }
            #expect(error?.code == .unfit && error?.message.contains("cambium resolve") == true)
        }
    }

    @Test("names that are alike as adapters' names are numbered by content, in any order")
    func names() throws {
        try withScratchDirectory { directory in
            let edits: [(String, Int, Float)] = [("x/y", 3, 0.5), ("x-y", 3, -0.25)]
            let store = try store(in: directory, edits.map { ($0.0, $0.1, $0.2) })
            try store.createBranch("other", at: "main", Checkpoints.signature)
            let one = try merge(store, ["x/y", "x-y"], into: "main")
            let two = try merge(store, ["x-y", "x/y"], into: "other")
            #expect(one.tree == two.tree)
            #expect(try store.adapters("main") == ["x-y", "x-y-2"])
        }
    }

    @Test("of every family", arguments: Checkpoints.transformers)
    func families(_ name: String) throws {
        try withScratchDirectory { directory in
            let path = Checkpoints.path(name)
            try Store.create(at: directory + "/S")
            let store = try Store(directory + "/S")
            _ = try store.commit(checkpoint: path, Checkpoints.options("base"))
            for (branch, byte) in [("a", UInt8(1)), ("b", 2)] {
                let folder = "\(directory)/\(branch)"
                try FileManager.default.copyItem(atPath: path, toPath: folder)
                let files = try FileManager.default.contentsOfDirectory(atPath: folder)
                    .filter { $0.hasSuffix(".safetensors") }.sorted()
                for file in files { try turn(folder + "/" + file, byte) }
                try store.createBranch(branch, at: "main", Checkpoints.signature)
                _ = try store.commit(
                    checkpoint: folder, Checkpoints.options(branch, branch: branch))
            }
            _ = try merge(store, ["b"], into: "a")
            #expect(try store.adapters("a") == ["a", "b"])
            for branch in ["a", "b"] {
                let out = "\(directory)/x-\(branch)"
                let result = try store.export("a", to: out, alternative: branch)
                for file in result.files {
                    #expect(
                        try Data(contentsOf: URL(filePath: "\(out)/\(file)"))
                            == Data(contentsOf: URL(filePath: "\(directory)/\(branch)/\(file)")),
                        "\(file)")
                }
            }
            let ids = try store.model("a").generate(tokens: [1, 2, 3], count: 2).tokens
            #expect(ids.count == 2)
            #expect(try store.verify().faults.isEmpty)
        }
    }

    /// Changes the lowest bits of one number of every third tensor of floats.
    private func turn(_ path: String, _ byte: UInt8) throws {
        var data = try Data(contentsOf: URL(filePath: path))
        let count = data.prefix(8).enumerated().reduce(0) {
            $0 | Int($1.element) << (8 * $1.offset)
        }
        let header = try #require(
            JSONSerialization.jsonObject(with: data[8..<8 + count]) as? [String: Any])
        for (index, name) in header.keys.sorted().enumerated() where index % 3 == 1 {
            guard let entry = header[name] as? [String: Any],
                let offsets = entry["data_offsets"] as? [Int], offsets[1] > offsets[0]
            else { continue }
            data[8 + count + offsets[0]] ^= byte
        }
        try data.write(to: URL(filePath: path))
    }
}
