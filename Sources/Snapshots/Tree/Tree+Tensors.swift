internal import Elements

extension Tree {
    /// A tensor outside the experts.
    package func tensor(named name: String) -> StoredTensor? {
        if let tensor = trunk.tensors[name] { return tensor }
        for layer in layers.values {
            for pool in layer.pools.values {
                if let tensor = pool.router[name] { return tensor }
            }
        }
        return nil
    }

    /// Elements of all tensors and experts, absent ones counted.
    ///
    /// - Parameter isRecord: Whether a tensor of this name holds no parameters but says something about some.
    package func parameterCount(without isRecord: (String) -> Bool) -> Int {
        trunk.tensors.reduce(0) { isRecord($1.key) ? $0 : $0 + $1.value.shape.elementCount }
            + layers.values.reduce(0) { sum, layer in
                layer.pools.values.reduce(sum) { $0 + $1.parameterCount }
            }
    }

    /// Bytes of them.
    package var byteCount: Int {
        trunk.byteCount + layers.values.reduce(0) { $0 + $1.byteCount }
    }
}

extension ExpertPool {
    /// Bytes of one expert.
    package var expertByteCount: Int { parts.reduce(0) { $0 + ($1.byteCount ?? 0) } }

    /// Bytes of the experts, absent ones counted, and of the router.
    package var byteCount: Int {
        expertByteCount * Int(clamping: count)
            + router.values.reduce(0) { $0 + ($1.shape.byteCount ?? 0) }
    }

    /// Elements of them.
    package var parameterCount: Int {
        parts.reduce(0) { $0 + $1.elementCount } * Int(clamping: count)
            + router.values.reduce(0) { $0 + $1.shape.elementCount }
    }
}

extension Trunk {
    var byteCount: Int { tensors.values.reduce(0) { $0 + ($1.shape.byteCount ?? 0) } }
}

extension Layer {
    var byteCount: Int { pools.values.reduce(0) { $0 + $1.byteCount } }
}
