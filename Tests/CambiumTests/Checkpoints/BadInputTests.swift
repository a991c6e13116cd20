import Foundation
import TestSupport
import Testing

@testable import Cambium

@Suite("Bad input leaves the store as it was")
struct BadInputTests {
    /// One bad checkpoint: how it is made from a good folder, and the code that it must give.
    struct Case: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let code: String
        let spoil: @Sendable (String) throws -> Void
    }

    static func rewrite(_ path: String, _ change: (inout Data) -> Void) throws {
        let url = URL(filePath: path + "/model.safetensors")
        var data = try Data(contentsOf: url)
        change(&data)
        try data.write(to: url)
    }

    static func header(_ path: String, _ json: String) throws {
        try rewrite(path) { data in
            var file = Data()
            file.append(contentsOf: littleEndian(UInt64(json.utf8.count)))
            data = file + Data(json.utf8) + Data(count: 64)
        }
    }

    static let cases: [Case] = [
        Case(testDescription: "an empty file", code: "truncated") { path in
            try rewrite(path) { $0 = Data() }
        },
        Case(testDescription: "a truncated file", code: "truncated") { path in
            try rewrite(path) { $0.removeLast(100) }
        },
        Case(testDescription: "a header longer than the file", code: "truncated") { path in
            try rewrite(path) { $0.replaceSubrange(0..<8, with: [255, 255, 255, 3, 0, 0, 0, 0]) }
        },
        Case(testDescription: "a header of more than 100 MB", code: "too-large") { path in
            try rewrite(path) { $0.replaceSubrange(0..<8, with: [0, 0, 0, 0, 1, 0, 0, 0]) }
        },
        Case(testDescription: "overlapping offsets", code: "overlap") { path in
            try header(
                path,
                #"{"a":{"dtype":"F32","shape":[8],"data_offsets":[0,32]},"b":{"dtype":"F32","shape":[12],"data_offsets":[16,64]}}"#
            )
        },
        Case(testDescription: "an unknown dtype", code: "unknown-type") { path in
            try header(path, #"{"a":{"dtype":"F31","shape":[16],"data_offsets":[0,64]}}"#)
        },
        Case(testDescription: "duplicate names", code: "duplicate-name") { path in
            try header(
                path,
                #"{"a":{"dtype":"F32","shape":[8],"data_offsets":[0,32]},"a":{"dtype":"F32","shape":[8],"data_offsets":[32,64]}}"#
            )
        },
        Case(testDescription: "a header that is not JSON", code: "bad-header") { path in
            try header(path, "tensors: none")
        },
        Case(testDescription: "a config for another model", code: "bad-config") { path in
            var other = TinyCheckpoint()
            other.config["peer"] = ["sub_keys": 5, "heads": 1, "top_k": 2, "key_size": 8]
            _ = try other.write(to: path)
        },
        Case(testDescription: "a config that is not JSON", code: "bad-config") { path in
            try Data("{".utf8).write(to: URL(filePath: path + "/config.json"))
        },
        Case(testDescription: "a known architecture without experts", code: "missing-tensor") {
            path in
            var other = TinyCheckpoint()
            other.tensors.removeAll { $0.name.contains("peer.") }
            _ = try other.write(to: path)
        },
        Case(testDescription: "a missing shard", code: "missing-shard") { path in
            try FileManager.default.removeItem(atPath: path + "/model.safetensors")
            let index = #"{"metadata":{},"weight_map":{"a":"model-00001-of-00001.safetensors"}}"#
            try Data(index.utf8).write(
                to: URL(filePath: path + "/model.safetensors.index.json"))
        },
        Case(testDescription: "a folder without a checkpoint", code: "not-a-checkpoint") { path in
            try FileManager.default.removeItem(atPath: path + "/model.safetensors")
        },
        Case(testDescription: "a path that does not exist", code: "not-found") { path in
            try FileManager.default.removeItem(atPath: path)
        },
    ]

    @Test("a commit of it is refused with its code", arguments: cases)
    func refused(_ bad: Case) throws {
        try withScratchDirectory { directory in
            try Store.create(at: directory + "/S")
            let store = try Store(directory + "/S")
            let good = try TinyCheckpoint().write(to: directory + "/good")
            let first = try store.commit(checkpoint: good, Checkpoints.options("good"))
            let path = try TinyCheckpoint(seed: 2).write(to: directory + "/bad")
            try bad.spoil(path)
            let error = #expect(throws: CambiumError.self) {
                try store.commit(checkpoint: path, Checkpoints.options("bad"))
            }
            #expect(error?.code.rawValue == bad.code)
            #expect(try store.resolve("HEAD") == first.id)
            #expect(try store.verify().faults.isEmpty)
        }
    }

    @Test("NaN and infinite weights are stored bit for bit, and counted")
    func nonFiniteWeights() throws {
        try withScratchDirectory { directory in
            try Store.create(at: directory + "/S")
            let store = try Store(directory + "/S")
            var checkpoint = TinyCheckpoint()
            checkpoint.setExpert(3, to: .nan)
            checkpoint.setExpert(4, to: .infinity)
            let path = try checkpoint.write(to: directory + "/nan")
            let result = try store.commit(checkpoint: path, Checkpoints.options("nan"))
            #expect(result.nanCount == 16 && result.infiniteCount == 16)
            _ = try store.export("HEAD", to: directory + "/out")
            let (left, right) = (path, directory + "/out")
            let export = try Store(directory + "/S").commit(
                checkpoint: right, Checkpoints.options("again"))
            #expect(export.unchanged, "\(left) came back with other tensors")
        }
    }

    @Test("an unknown architecture is stored tensor by tensor, and says so")
    func unknownArchitecture() throws {
        try withScratchDirectory { directory in
            try Store.create(at: directory + "/S")
            let store = try Store(directory + "/S")
            var checkpoint = TinyCheckpoint()
            checkpoint.config = ["model_type": "mystery"]
            let path = try checkpoint.write(to: directory + "/c")
            let result = try store.commit(checkpoint: path, Checkpoints.options("mystery"))
            #expect(result.experts == 0 && result.notes.contains { $0.contains("mystery") })
            #expect(try store.list("HEAD").trunk.count == checkpoint.tensors.count)
            let error = #expect(throws: CambiumError.self) { try store.model("HEAD") }
            #expect(error?.code == .unsupported)
        }
    }

    @Test("an expected parent that is not the head is a moved branch")
    func expectedParent() throws {
        try withScratchDirectory { directory in
            try Store.create(at: directory + "/S")
            let store = try Store(directory + "/S")
            let path = try TinyCheckpoint().write(to: directory + "/c")
            let first = try store.commit(checkpoint: path, Checkpoints.options("one"))
            let other = try TinyCheckpoint(seed: 2).write(to: directory + "/d")
            var options = Checkpoints.options("two")
            options.expectedParent = first.id
            let second = try store.commit(checkpoint: other, options)
            let error = #expect(throws: CambiumError.self) {
                try store.commit(checkpoint: path, options)
            }
            #expect(error?.code == .branchMoved)
            #expect(try store.resolve("main") == second.id)
        }
    }

    @Test(
        "revisions that mean nothing are refused with the right code",
        arguments: [
            ("nowhere", "not-found"), ("main~5", "not-found"), ("main~x", "bad-revision"),
            ("", "bad-revision"), ("main^3", "not-found"), ("main@{7}", "not-found"),
        ])
    func revisions(_ revision: String, _ code: String) throws {
        try withScratchDirectory { directory in
            try Store.create(at: directory + "/S")
            let store = try Store(directory + "/S")
            let path = try TinyCheckpoint().write(to: directory + "/c")
            _ = try store.commit(checkpoint: path, Checkpoints.options("one"))
            let error = #expect(throws: CambiumError.self) { try store.show(revision) }
            #expect(error?.code.rawValue == code)
        }
    }

    @Test("a directory that is no store, and a store that exists, are refused")
    func wrongDirectories() throws {
        try withScratchDirectory { directory in
            let missing = #expect(throws: CambiumError.self) { try Store(directory + "/S") }
            #expect(missing?.code == .notAStore)
            try Store.create(at: directory + "/S")
            let twice = #expect(throws: CambiumError.self) {
                try Store.create(at: directory + "/S")
            }
            #expect(twice?.code == .exists)
        }
    }

    @Test("a store that was opened read-only refuses a commit and stays readable")
    func readOnly() throws {
        try withScratchDirectory { directory in
            try Store.create(at: directory + "/S")
            let path = try TinyCheckpoint().write(to: directory + "/c")
            do {
                let store = try Store(directory + "/S")
                _ = try store.commit(checkpoint: path, Checkpoints.options("one"))
            }
            let store = try Store(directory + "/S", readOnly: true)
            let other = try TinyCheckpoint(seed: 2).write(to: directory + "/d")
            let error = #expect(throws: CambiumError.self) {
                try store.commit(checkpoint: other, Checkpoints.options("two"))
            }
            #expect(error?.code == .readOnly)
            #expect(try store.log().count == 1)
            #expect(try store.verify().faults.isEmpty)
        }
    }
}
