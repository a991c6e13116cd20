internal import Elements
internal import Objects

/// How a model was laid out in its checkpoint, so that it can be written back as it was.
package struct Layout: Sendable, Equatable {
    /// One tensor of a checkpoint that holds experts.
    package struct PoolTensor: Sendable, Equatable {
        /// The tensor's name; `{e}` stands for the expert's ordinal when each has its own tensor.
        package var template: String
        /// Whether one tensor `[experts, …]` holds slice e of expert e.
        package var stacked: Bool
        /// The dimensions of one expert's slice.
        package var slice: [Int]
        /// How many of the expert's parts the slice consists of, in order.
        package var partCount: Int

        package init(template: String, stacked: Bool, slice: [Int], partCount: Int) {
            self.template = template
            self.stacked = stacked
            self.slice = slice
            self.partCount = partCount
        }
    }

    /// The tensors of one layer's pool; an expert is the concatenation of its slices.
    package struct Pool: Sendable, Equatable {
        package var layer: UInt32
        package var pool: String
        package var tensors: [PoolTensor]

        package init(layer: UInt32, pool: String, tensors: [PoolTensor]) {
            self.layer = layer
            self.pool = pool
            self.tensors = tensors
        }
    }

    /// How the JSON of a file's header differs from the plain one: between so many bytes of it at the start
    /// and at the end there is another text.
    package struct Splice: Sendable, Equatable {
        package var prefix: UInt32
        package var suffix: UInt32
        package var middle: [UInt8]

        package init(prefix: UInt32, suffix: UInt32, middle: [UInt8]) {
            self.prefix = prefix
            self.suffix = suffix
            self.middle = middle
        }
    }

    /// One file of the checkpoint.
    package struct File: Sendable, Equatable {
        package var name: String
        /// The file's `__metadata__`; nil when it has none.
        package var metadata: [String: String]?
        /// Names of the tensors in this file, in the order of their data; empty when the only file holds them
        /// all, in the order of the format's own writer.
        package var tensors: [String]
        /// Nil when the header is the plain one.
        package var splice: Splice?

        package init(
            name: String, metadata: [String: String]?, tensors: [String], splice: Splice? = nil
        ) {
            self.name = name
            self.metadata = metadata
            self.tensors = tensors
            self.splice = splice
        }
    }

    package var files: [File]
    package var pools: [Pool]

    package init(files: [File], pools: [Pool]) {
        self.files = files
        self.pools = pools
    }

    package var encoded: [UInt8] {
        var encoder = ByteEncoder()
        // What needs no splice keeps the record, and so the id, that it always had.
        let version: UInt32 = files.contains { $0.splice != nil } ? 2 : 1
        encoder.append(version)
        encoder.append(UInt32(files.count))
        for file in files {
            encoder.append(file.name)
            encoder.append(UInt8(file.metadata == nil ? 0 : 1))
            encoder.append(UInt32(file.metadata?.count ?? 0))
            for (key, value) in sortedByKey(file.metadata ?? [:]) {
                encoder.append(key)
                encoder.append(value)
            }
            encoder.append(UInt32(file.tensors.count))
            for name in file.tensors { encoder.append(name) }
            guard version == 2 else { continue }
            encoder.append(UInt8(file.splice == nil ? 0 : 1))
            guard let splice = file.splice else { continue }
            encoder.append(splice.prefix)
            encoder.append(splice.suffix)
            encoder.append(UInt32(splice.middle.count))
            encoder.append(raw: splice.middle)
        }
        encoder.append(UInt32(pools.count))
        for pool in pools {
            encoder.append(pool.layer)
            encoder.append(pool.pool)
            encoder.append(UInt32(pool.tensors.count))
            for tensor in pool.tensors {
                encoder.append(tensor.template)
                encoder.append(UInt8(tensor.stacked ? 1 : 0))
                encoder.append(UInt8(tensor.slice.count))
                encoder.append(UInt16(tensor.partCount))
                for dimension in tensor.slice { encoder.append(UInt64(dimension)) }
            }
        }
        return encoder.bytes
    }

    package init(decoding bytes: [UInt8]) throws {
        var decoder = ByteDecoder(bytes, "a layout record")
        let version = try decoder.number(UInt32.self)
        guard version == 1 || version == 2 else {
            throw CambiumError(
                .corrupt, "a layout's version \(version) is not 1 or 2; use a newer cambium")
        }
        files = []
        for _ in 0..<(try decoder.count(minimum: 12)) {
            var file = File(name: try decoder.text(), metadata: nil, tensors: [])
            if try decoder.number(UInt8.self) != 0 { file.metadata = [:] }
            for _ in 0..<(try decoder.count(minimum: 8)) {
                let key = try decoder.text()
                let value = try decoder.text()
                file.metadata?[key] = value
            }
            for _ in 0..<(try decoder.count(minimum: 4)) { file.tensors.append(try decoder.text()) }
            if version == 2, try decoder.number(UInt8.self) != 0 {
                let prefix = try decoder.number(UInt32.self)
                let suffix = try decoder.number(UInt32.self)
                let count = try decoder.count(minimum: 1)
                file.splice = Splice(
                    prefix: prefix, suffix: suffix, middle: try decoder.take(count))
            }
            files.append(file)
        }
        pools = []
        for _ in 0..<(try decoder.count(minimum: 12)) {
            let layer = try decoder.number(UInt32.self)
            var pool = Pool(layer: layer, pool: try decoder.text(), tensors: [])
            for _ in 0..<(try decoder.count(minimum: 8)) {
                let template = try decoder.text()
                let stacked = try decoder.number(UInt8.self) != 0
                let rank = Int(try decoder.number(UInt8.self))
                let partCount = Int(try decoder.number(UInt16.self))
                var slice: [Int] = []
                for _ in 0..<rank {
                    guard let dimension = Int(exactly: try decoder.number(UInt64.self)) else {
                        throw CambiumError(.corrupt, "a layout has an impossible dimension")
                    }
                    slice.append(dimension)
                }
                pool.tensors.append(
                    PoolTensor(
                        template: template, stacked: stacked, slice: slice, partCount: partCount))
            }
            pools.append(pool)
        }
        try decoder.end()
        try refuseOther(encoded, bytes, "a layout record")
    }
}
