internal import Architectures
internal import Elements
internal import Objects
package import Snapshots

/// The names of the base's weights in a tree, one of which each adapter says that it was made for.
package struct BaseDigests {
    /// Parts of a base besides its trunk.
    package enum Part { case routers, experts, rows, files }

    /// Files that say how weights are run and what tokens are.
    package static let files = ["config.json", "generation_config.json", "tokenizer.json"]

    /// Of what deltas are added to.
    package let trunk: String
    /// With the experts, which an adapter may run with.
    package let withExperts: String
    /// With hashed rows and ``files``: an alternative runs on all of it that is not its own.
    package let whole: String

    package init(_ tree: Tree) throws {
        trunk = try Self.digest(tree)
        withExperts = try Self.digest(tree, .routers, .experts)
        whole = try Self.digest(tree, .routers, .experts, .rows, .files)
    }

    /// What an adapter of this description is to say.
    package func digest(for description: AdapterDescription) -> String {
        description.kind == .alternative
            ? whole : description.usesExperts ? withExperts : trunk
    }

    /// Whether the base is the one that an adapter was made for, as far as that is known.
    package func fit(_ description: AdapterDescription) -> Bool {
        var known = [digest(for: description)]
        // Earlier versions named the base without its rows by alternatives, without its experts by all other adapters.
        if description.kind == .alternative { known.append(withExperts) }
        if description.usesExperts { known.append(trunk) }
        return description.base.isEmpty || known.contains(description.base)
    }

    /// Names the weights that deltas are added to: the trunk's tensors, without adapters, and their ids, with
    /// what else of the base counts.
    ///
    /// Hashed rows seldom do: an adapter of deltas adds to what they are, of fewer bits or fewer rows as well.
    package static func digest(_ tree: Tree, _ parts: Part...) throws -> String {
        var text = ""
        for (name, entry) in tree.trunk.tensors.sorted(by: { isBefore($0.key, $1.key) })
        where !name.hasPrefix(AdapterTensorName.prefix) { text += "\(name) \(entry.id.hex)\n" }
        for (number, layer) in tree.layers.sorted(by: { $0.key < $1.key }) {
            guard let pool = layer.pools[ExpertPool.base],
                pool.routerKind != .hash || parts.contains(.rows)
            else { continue }
            if parts.contains(.experts) { text += "\(number) \(pool.experts.hex)\n" }
            for (name, entry) in pool.router.sorted(by: { isBefore($0.key, $1.key) })
            where parts.contains(.routers) {
                text += "\(number) \(name) \(entry.id.hex)\n"
            }
        }
        if parts.contains(.files) {
            for name in files {
                if let id = tree.files[name] { text += "file \(name) \(id.hex)\n" }
            }
        }
        return try ObjectID(ofFile: Array(text.utf8)).hex
    }
}
