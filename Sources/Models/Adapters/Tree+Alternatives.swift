internal import Architectures
internal import Elements
package import Snapshots

/// The models that a tree with alternatives stands for.
extension Tree {
    /// The model of one alternative alone, as it was before alternatives were made of it: without adapters.
    ///
    /// - Parameters:
    ///   - name: The alternative's; nil for the base's own model.
    ///   - layers: Those with experts of its own.
    package func alternative(_ name: String?, layers: [Int] = []) -> Tree {
        let adapters = trunk.tensors.keys.compactMap { AdapterTensorName.adapter(describedBy: $0) }
        var tree = without(adapters)
        guard let name else { return tree }
        let prefix = AdapterTensorName.prefix(of: name)
        for (tensor, entry) in trunk.tensors
        where AdapterTensorName.adapter(of: tensor, among: adapters) == name
            && tensor != AdapterTensorName.description(of: name)
        {
            tree.trunk.tensors[String(tensor.dropFirst(prefix.count))] = entry
        }
        for layer in layers {
            guard let number = UInt32(exactly: layer), let own = self.layers[number]?.pools[name]
            else { continue }
            var pool = own
            pool.router = tree.layers[number]?.pools[ExpertPool.base]?.router ?? [:]
            for (tensor, entry) in own.router {
                pool.router[String(tensor.dropFirst(prefix.count))] = entry
            }
            tree.layers[number]?.pools[ExpertPool.base] = pool
        }
        return tree
    }

    /// The tree without the weights of some adapters.
    package func without(_ adapters: [String]) -> Tree {
        var tree = self
        let all = trunk.tensors.keys.compactMap { AdapterTensorName.adapter(describedBy: $0) }
        tree.trunk.tensors = trunk.tensors.filter { tensor, _ in
            AdapterTensorName.adapter(of: tensor, among: all).map { !adapters.contains($0) } ?? true
        }
        for (number, layer) in layers {
            tree.layers[number]?.pools = layer.pools.filter { !adapters.contains($0.key) }
        }
        return tree
    }

    /// What an alternative of a name is, of a model beside this one: its tensors and pools.
    ///
    /// - Returns: Nil when the model is this one.
    /// - Throws: `incompatible` when the model is not made as this one.
    package func difference(
        of model: Tree, named name: String
    ) throws -> (tensors: [String: StoredTensor], pools: [UInt32: ExpertPool])? {
        let prefix = AdapterTensorName.prefix(of: name)
        func refused(_ what: String) -> CambiumError {
            CambiumError(
                .incompatible,
                "'\(name)' is no alternative to what it began from: \(what); alternatives have the tensors, experts "
                    + "and shapes of the merge base")
        }
        guard Set(model.trunk.tensors.keys) == Set(trunk.tensors.keys),
            Set(model.layers.keys) == Set(layers.keys)
        else { throw refused("it has other tensors or layers") }
        var tensors: [String: StoredTensor] = [:]
        for (tensor, entry) in model.trunk.tensors where trunk.tensors[tensor] != entry {
            guard trunk.tensors[tensor]?.shape.dimensions == entry.shape.dimensions else {
                throw refused("\(tensor) is \(entry.shape)")
            }
            tensors[prefix + tensor] = entry
        }
        var pools: [UInt32: ExpertPool] = [:]
        for (number, layer) in model.layers {
            guard let own = layers[number], Set(own.pools.keys) == Set(layer.pools.keys) else {
                throw refused("layer \(number) has other pools")
            }
            for (pool, entry) in layer.pools where own.pools[pool] != entry {
                guard let before = own.pools[pool], pool == ExpertPool.base,
                    before.count == entry.count, before.parts == entry.parts,
                    before.kind == entry.kind, before.routerKind == entry.routerKind,
                    Set(before.router.keys) == Set(entry.router.keys)
                else { throw refused("layer \(number) has other experts in pool '\(pool)'") }
                var changed = entry
                changed.router = [:]
                for (tensor, value) in entry.router where before.router[tensor] != value {
                    guard before.router[tensor]?.shape.dimensions == value.shape.dimensions else {
                        throw refused("\(tensor) is \(value.shape)")
                    }
                    changed.router[prefix + tensor] = value
                }
                pools[number] = changed
            }
        }
        return tensors.isEmpty && pools.isEmpty ? nil : (tensors, pools)
    }
}

extension MappedSnapshot {
    /// The tree without the weights of alternatives.
    package func treeWithoutAlternatives() throws -> Tree {
        tree.without(try StoredAdapters(self).alternatives)
    }

    /// The snapshot as one of its alternatives is, and how many experts of a layer that has more than config.json says;
    /// nil for a name that is none.
    package func alternative(
        _ name: String
    ) throws -> (snapshot: MappedSnapshot, addedExperts: Int)? {
        let adapters = try StoredAdapters(self)
        guard let index = adapters.names.firstIndex(of: name),
            adapters.descriptions[index].kind == .alternative
        else { return nil }
        let description = adapters.descriptions[index]
        return (
            showing(tree.alternative(name, layers: description.replacedLayers)),
            description.addedExperts
        )
    }
}
