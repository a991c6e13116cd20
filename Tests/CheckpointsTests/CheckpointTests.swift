import Checkpoints
import Elements
import Foundation
import TestSupport
import Testing

@Suite("Checkpoints")
struct CheckpointTests {
    let folder = ScratchFolder()

    /// Writes two shards and their index.
    private func shard(
        _ first: [String] = ["a", "c"], _ second: [String] = ["b"], index: String? = nil
    ) throws {
        try write(first.map { tensor($0, .u8, [2]) }, to: "\(folder.path)/m-1.safetensors")
        try write(second.map { tensor($0, .u8, [2]) }, to: "\(folder.path)/m-2.safetensors")
        let standard = #"{"a":"m-1.safetensors","b":"m-2.safetensors","c":"m-1.safetensors"}"#
        try folder.write(
            ShardIndex.fileName,
            #"{"metadata":{"total_size":6},"weight_map":\#(index ?? standard)}"#.utf8)
    }

    private func opened() throws -> Checkpoint { try Checkpoint(opening: folder.path) }

    @Test("a file opened by itself has its tensors and neither config nor side files")
    func singleFile() throws {
        try write(
            [tensor("b", .u8, [2]), tensor("a", .f32, [1])], to: "\(folder.path)/x.safetensors")
        try folder.write("config.json", "{}".utf8)
        let checkpoint = try Checkpoint(opening: "\(folder.path)/x.safetensors")
        #expect(checkpoint.files.map(\.name) == ["x.safetensors"])
        #expect(checkpoint.tensors.map(\.name) == ["a", "b"])
        #expect(checkpoint.tensor(named: "b")?.bytes.copy() == tensor("b", .u8, [2]).bytes)
        #expect(checkpoint.tensor(named: "c") == nil)
        #expect(checkpoint.config == nil && checkpoint.auxiliary.isEmpty)
        #expect(checkpoint.ignored.isEmpty && checkpoint.index == nil)
    }

    @Test("a folder gives config and side files byte for byte, and says what it left alone")
    func folderWithSideFiles() throws {
        try write([tensor("a", .u8, [2])], to: "\(folder.path)/model.safetensors")
        for name in Checkpoint.auxiliaryNames { try folder.write(name, "<\(name)>".utf8) }
        try folder.write("config.json", "{ }".utf8)
        try folder.write("train.json", "".utf8)
        try folder.write(ShardIndex.fileName, "not read".utf8)
        try FileManager.default.createDirectory(
            atPath: "\(folder.path)/runs", withIntermediateDirectories: false)
        let checkpoint = try opened()
        #expect(checkpoint.config == Array("{ }".utf8))
        #expect(checkpoint.auxiliary.map(\.name) == Checkpoint.auxiliaryNames.sorted())
        #expect(checkpoint.auxiliary.allSatisfy { $0.content == Array("<\($0.name)>".utf8) })
        #expect(checkpoint.ignored == [ShardIndex.fileName, "runs/", "train.json"])
    }

    @Test("a side file above 64 MiB is refused rather than dropped")
    func largeSideFile() throws {
        try write([tensor("a", .u8, [2])], to: "\(folder.path)/model.safetensors")
        let path = try folder.write("tokenizer.json", [])
        let handle = try #require(FileHandle(forWritingAtPath: path))
        try handle.truncate(atOffset: 64 << 20)
        #expect(try opened().auxiliary.count == 1)
        try handle.truncate(atOffset: 64 << 20 + 1)
        #expect(code { try opened() } == .tooLarge)
    }

    @Test("links to files elsewhere are followed, as a download cache has them")
    func links() throws {
        let cache = ScratchFolder()
        try write([tensor("a", .u8, [2])], to: "\(cache.path)/blob")
        try FileManager.default.createSymbolicLink(
            atPath: "\(folder.path)/model.safetensors", withDestinationPath: "\(cache.path)/blob")
        #expect(try opened().tensors.map(\.name) == ["a"])
    }

    @Test("a sharded folder gives its shards in order, its tensors and its index as it was")
    func sharded() throws {
        try shard()
        try folder.write("stray.safetensors", [])
        let checkpoint = try opened()
        #expect(checkpoint.files.map(\.name) == ["m-1.safetensors", "m-2.safetensors"])
        #expect(checkpoint.tensors.map(\.name) == ["a", "c", "b"])
        #expect(checkpoint.tensors.map(\.file) == [0, 0, 1])
        #expect(checkpoint.index?.shards["b"] == "m-2.safetensors")
        #expect(try checkpoint.index?.content == contents("\(folder.path)/\(ShardIndex.fileName)"))
        #expect(checkpoint.ignored == ["stray.safetensors"])
        try checkpoint.checkUnchanged()
    }

    @Test(
        "a folder without tensors is .notACheckpoint, with advice",
        arguments: ["", "x.safetensors", "pytorch_model.bin"])
    func noCheckpoint(content: String) throws {
        if !content.isEmpty { try folder.write(content, []) }
        let error = #expect(throws: CambiumError.self) { try opened() }
        #expect(error?.code == .notACheckpoint)
        let advice = [
            "": "name a", "x.safetensors": "has x.safetensors", "pytorch_model.bin": "pickle",
        ]
        #expect(error?.message.contains(advice[content] ?? "?") == true)
    }

    @Test("a missing shard is named")
    func missingShard() throws {
        try shard()
        try FileManager.default.removeItem(atPath: "\(folder.path)/m-2.safetensors")
        let error = #expect(throws: CambiumError.self) { try opened() }
        #expect(error?.code == .missingShard)
        #expect(error?.message.contains("m-2.safetensors") == true)
    }

    @Test("a listed tensor that its shard lacks is .missingTensor")
    func missingTensor() throws {
        try shard(["a"])
        #expect(code { try opened() } == .missingTensor)
    }

    @Test("a tensor that the index does not list, or lists elsewhere, is .unlistedTensor")
    func unlisted() throws {
        try shard(["a", "c", "d"])
        #expect(code { try opened() } == .unlistedTensor)
        try shard(["a"], ["b", "c"])
        #expect(code { try opened() } == .unlistedTensor)
    }

    @Test("a tensor in two shards is .duplicateName")
    func twoShards() throws {
        try shard(["a", "c"], ["a", "b"])
        #expect(code { try opened() } == .duplicateName)
    }

    @Test(
        "a shard named by a path or not as safetensors is .badIndex",
        arguments: [
            "../m-1.safetensors", "/etc/m-1.safetensors", "sub/m-1.safetensors", "m-1.bin", "",
            "..", #"m\u0000.safetensors"#,
        ])
    func hostileShard(name: String) throws {
        try shard(index: "{\"a\":\"\(name)\"}")
        #expect(code { try opened() } == .badIndex)
    }

    @Test(
        "an index that is not one is .badIndex",
        arguments: ["{}", "[]", "null", #"{"a":1}"#, #"{"a""#])
    func badIndex(map: String) throws {
        try shard(index: map)
        #expect(code { try opened() } == .badIndex)
    }

    @Test("a tensor listed twice in the index is .duplicateName")
    func listedTwice() throws {
        try shard(index: #"{"a":"m-1.safetensors","a":"m-2.safetensors"}"#)
        #expect(code { try opened() } == .duplicateName)
    }

    @Test("a damaged shard's own error comes through")
    func damagedShard() throws {
        try shard()
        try folder.write("m-1.safetensors", [1, 2])
        #expect(code { try opened() } == .truncated)
    }

    @Test(
        "a checkpoint of every architecture and form opens whole", arguments: Fixtures.folders)
    func fixtures(name: String) throws {
        let checkpoint = try Checkpoint(opening: Fixtures.path(name))
        #expect(checkpoint.config != nil && !checkpoint.tensors.isEmpty)
        for tensor in checkpoint.tensors {
            #expect(tensor.bytes.count == tensor.shape.byteCount)
        }
    }
}
