internal import Architectures
internal import Elements
internal import Models
internal import Objects
internal import Snapshots

/// How models of a store are run: what their files say, whatever else stands in them.
struct ModelConfigs {
    private let store: SnapshotStore

    init(_ store: SnapshotStore) { self.store = store }

    /// Refuses a model whose tokens are others than those of another, or which is run in another way.
    ///
    /// - Throws: `incompatible`.
    func check(_ model: Tree, as other: Tree, named name: String) throws {
        let hasTokenizer = model.files["tokenizer.json"] == other.files["tokenizer.json"]
        if hasTokenizer, try isRun(model, as: other) { return }
        throw CambiumError(
            .incompatible,
            "'\(name)' is no alternative to what it began from: it has another "
                + "\(hasTokenizer ? "configuration" : "tokenizer"), and alternatives have those of the merge base; "
                + "commit it with the base's, or take another policy")
    }

    private func isRun(_ model: Tree, as other: Tree) throws -> Bool {
        let names = ["config.json", "generation_config.json"]
        if model.architecture == other.architecture,
            names.allSatisfy({ model.files[$0] == other.files[$0] })
        {
            return true
        }
        // What this version cannot read is compared as it is.
        guard let one = try description(model), let two = try description(other) else {
            return false
        }
        return one == two
    }

    private func description(_ tree: Tree) throws -> ModelDescription? {
        func file(_ name: String) throws -> [UInt8]? {
            try tree.files[name].map { try store.data(of: $0).1 }
        }
        guard ModelDescription.isKnown(tree.architecture), let config = try file("config.json")
        else { return nil }
        let generation = try file("generation_config.json")
        return try? ModelDescription(
            architecture: tree.architecture, json: config, generation: generation)
    }
}
