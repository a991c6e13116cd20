package import Architectures
internal import Elements
internal import Objects
package import Snapshots

extension BlockForms {
    /// Those of these forms, as a config says them, in which a model has weights: what a revert or a merge took out of the
    /// model may still be said.
    package func stored(in tree: Tree) -> BlockForms {
        func isStored(_ form: BlockForm, _ tensors: [String: StoredTensor], isEmbedding: Bool)
            -> Bool
        {
            let names = form.weights()
            return tensors.keys.contains { name in
                guard name.hasSuffix("." + names.scales) else { return false }
                let module = name.dropLast(names.scales.count)
                return module.hasSuffix("embed_tokens.") == isEmbedding
                    && tensors[module + names.codes]?.shape.type == form.coding.codeType
            }
        }
        let pools = tree.layers.values.flatMap(\.pools.values)
        let trunk = tree.trunk.tensors
        return BlockForms(
            experts: experts.flatMap { form in
                let type = form.coding.codeType
                return pools.contains { $0.parts.contains { $0.type == type } } ? form : nil
            },
            dense: dense.flatMap { isStored($0, trunk, isEmbedding: false) ? $0 : nil },
            routers: routers.flatMap { form in
                pools.contains { isStored(form, $0.router, isEmbedding: false) } ? form : nil
            },
            embedding: embedding.flatMap { isStored($0, trunk, isEmbedding: true) ? $0 : nil })
    }
}
