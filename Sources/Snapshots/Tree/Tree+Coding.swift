package import Elements
package import Objects

// Canonical bytes of the tree's records (docs/format.md, "Model tree"). Names are sorted by bytes.

extension Trunk {
    package var encoded: [UInt8] {
        var encoder = ByteEncoder()
        encoder.append(UInt32(1))
        encoder.append(tensors)
        return encoder.bytes
    }

    package init(decoding bytes: [UInt8]) throws {
        var decoder = ByteDecoder(bytes, "a trunk record")
        try decoder.version(1)
        tensors = try decoder.tensors()
        try decoder.end()
        try refuseOther(encoded, bytes, "a trunk record")
    }
}

extension ExpertPool {
    /// Bytes of a hashed row, far more than a model of any width has.
    private static let longestRow = 1 << 24

    /// Refuses what no experts can be: of rows below a hash none need be there, so nothing else bounds them.
    fileprivate func check(_ name: String) throws {
        var size = 0
        for part in parts {
            guard let bytes = part.byteCount, bytes <= ObjectHeader.maximumPayload - size else {
                throw CambiumError(.corrupt, "pool \(name): experts of \(parts) cannot be stored")
            }
            size += bytes
        }
        guard routerKind == .hash else { return }
        guard kind == .row, size > 0, size <= Self.longestRow, count <= UInt64(UInt32.max) else {
            throw CambiumError(
                .corrupt,
                "pool \(name): \(count) \(kind)s of \(parts) are no rows that a hash finds: at most 2^32 - 1 of "
                    + "\(Self.longestRow) bytes")
        }
    }
}

extension Layer {
    package var encoded: [UInt8] {
        var encoder = ByteEncoder()
        encoder.append(UInt32(1))
        encoder.append(UInt32(pools.count))
        for (name, pool) in sortedByKey(pools) {
            encoder.append(name)
            encoder.append(pool.kind.rawValue)
            encoder.append(pool.routerKind.rawValue)
            encoder.append(UInt16(pool.parts.count))
            for part in pool.parts { encoder.append(part) }
            encoder.append(pool.count)
            encoder.append(pool.experts)
            encoder.append(pool.router)
        }
        return encoder.bytes
    }

    package init(decoding bytes: [UInt8]) throws {
        var decoder = ByteDecoder(bytes, "a layer record")
        try decoder.version(1)
        pools = [:]
        for _ in 0..<(try decoder.count(minimum: 20)) {
            let name = try decoder.text()
            let rawKind = try decoder.number(UInt8.self)
            let rawRouter = try decoder.number(UInt8.self)
            guard let kind = ObjectKind(rawValue: rawKind), kind.isExpert,
                let routerKind = RouterKind(rawValue: rawRouter)
            else {
                throw CambiumError(
                    .corrupt,
                    "pool \(name): expert kind \(rawKind) or router kind \(rawRouter)"
                        + " is unknown to this version")
            }
            var parts: [TensorShape] = []
            for _ in 0..<Int(try decoder.number(UInt16.self)) {
                parts.append(try decoder.shape())
            }
            let count = try decoder.number(UInt64.self)
            let experts = try decoder.id()
            let pool = ExpertPool(
                kind: kind, parts: parts, count: count, experts: experts, routerKind: routerKind,
                router: try decoder.tensors())
            try pool.check(name)
            pools[name] = pool
        }
        try decoder.end()
        try refuseOther(encoded, bytes, "a layer record")
    }
}

/// The tree record itself, which names the records above.
package struct TreeRecord: Sendable, Equatable {
    package var architecture: String
    package var files: [String: ObjectID]
    package var layout: ObjectID?
    package var trunk: ObjectID
    package var layers: [UInt32: ObjectID]

    package var encoded: [UInt8] {
        var encoder = ByteEncoder()
        encoder.append(UInt32(1))
        encoder.append(architecture)
        encoder.append(UInt32(files.count))
        for (name, id) in sortedByKey(files) {
            encoder.append(name)
            encoder.append(id)
        }
        encoder.append(layout ?? .zero)
        encoder.append(trunk)
        encoder.append(UInt32(layers.count))
        for (number, id) in layers.sorted(by: { $0.key < $1.key }) {
            encoder.append(number)
            encoder.append(id)
        }
        return encoder.bytes
    }

    package init(
        architecture: String, files: [String: ObjectID], layout: ObjectID?, trunk: ObjectID,
        layers: [UInt32: ObjectID]
    ) {
        self.architecture = architecture
        self.files = files
        self.layout = layout
        self.trunk = trunk
        self.layers = layers
    }

    package init(decoding bytes: [UInt8]) throws {
        var decoder = ByteDecoder(bytes, "a tree record")
        try decoder.version(1)
        architecture = try decoder.text()
        files = [:]
        for _ in 0..<(try decoder.count(minimum: 36)) {
            let name = try decoder.text()
            files[name] = try decoder.id()
        }
        let layout = try decoder.id()
        self.layout = layout == .zero ? nil : layout
        trunk = try decoder.id()
        layers = [:]
        for _ in 0..<(try decoder.count(minimum: 36)) {
            let number = try decoder.number(UInt32.self)
            layers[number] = try decoder.id()
        }
        try decoder.end()
        try refuseOther(encoded, bytes, "a tree record")
    }
}

extension ByteEncoder {
    package mutating func append(_ shape: TensorShape) {
        append(shape.type.rawValue)
        append(UInt8(shape.dimensions.count))
        append(UInt16(0))
        for dimension in shape.dimensions { append(UInt64(dimension)) }
    }

    mutating func append(_ tensors: [String: StoredTensor]) {
        append(UInt32(tensors.count))
        for (name, entry) in sortedByKey(tensors) {
            append(name)
            append(entry.shape)
            append(entry.id)
        }
    }
}

extension ByteDecoder {
    package mutating func shape() throws -> TensorShape {
        let rawType = try number(UInt8.self)
        guard let type = ElementType(rawValue: rawType) else {
            throw CambiumError(.corrupt, "element type \(rawType) is unknown to this version")
        }
        let rank = Int(try number(UInt8.self))
        _ = try number(UInt16.self)
        var dimensions: [Int] = []
        for _ in 0..<rank {
            guard let dimension = Int(exactly: try number(UInt64.self)) else {
                throw CambiumError(.corrupt, "a tensor dimension does not fit")
            }
            dimensions.append(dimension)
        }
        return TensorShape(type, dimensions)
    }

    mutating func tensors() throws -> [String: StoredTensor] {
        var tensors: [String: StoredTensor] = [:]
        for _ in 0..<(try count(minimum: 40)) {
            let name = try text()
            let shape = try shape()
            tensors[name] = StoredTensor(shape: shape, id: try id())
        }
        return tensors
    }
}
