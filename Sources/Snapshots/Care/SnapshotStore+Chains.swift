internal import Elements
internal import KeyValue
internal import Objects

extension SnapshotStore {
    /// Makes true what compressed packs note of their depth, and parts chains that are too long.
    ///
    /// A store may have got such chains from a version of this program that did not count what was
    /// compressed later, and notes may be out of date since objects were moved. Only for a caller that
    /// has the store alone. Packs whose chain is broken stay as they are: `verify` names them.
    ///
    /// - Returns: The chains as they are now.
    func mendChains() throws -> PackChains {
        var chains = try environment.read { transaction in
            try PackChains(transaction)
        }
        // From those that need least on, so that each is measured when its bases are as they will be.
        for number in chains.inOrder {
            guard let depth = chains.depth(of: number), depth > Pack.greatestDepth else { continue }
            // Of an object in segments these are parted, each for itself.
            let isParted = try environment.read { transaction in
                guard let pack = try ObjectReader.packIfPresent(number, transaction),
                    pack.segments == nil
                else { return false }
                return try ObjectReader(transaction).isHere(pack, transaction)
            }
            guard isParted else { continue }
            try environment.write("repack chains") { transaction in
                try Self.writeAlone(number, transaction)
            }
            chains.set(number, needs: [])
        }
        let noted = chains.inOrder
        for start in stride(from: 0, to: noted.count, by: 32) {
            let numbers = try environment.read { transaction in
                var untrue: [UInt32] = []
                for number in noted[start..<min(start + 32, noted.count)] {
                    let pack = try ObjectReader.packIfPresent(number, transaction)
                    if pack?.notedDepth != chains.depth(of: number) { untrue.append(number) }
                }
                return untrue
            }
            guard !numbers.isEmpty else { continue }
            try environment.write("repack chains") { transaction in
                try Self.noteDepths(of: numbers, chains, transaction)
            }
        }
        _ = chains.takeChanges()
        return chains
    }

    /// Writes the depths of compressed packs into their records where these say otherwise.
    static func noteDepths(
        of numbers: [UInt32], _ chains: PackChains, _ transaction: borrowing WriteTransaction
    ) throws {
        for number in numbers {
            guard let depth = chains.depth(of: number),
                let pack = try ObjectReader.packIfPresent(number, transaction),
                pack.isCold, pack.notedDepth != depth
            else { continue }
            let record = Pack.record(pack.record.copy(), depth: depth)
            try ObjectStaging.replaceRecord(number, with: record, transaction)
        }
    }

    /// Writes a compressed pack so that it needs no other.
    private static func writeAlone(
        _ number: UInt32, _ transaction: borrowing WriteTransaction
    ) throws {
        let reader = try ObjectReader(transaction)
        let pack = try reader.readable(try reader.pack(number, transaction), transaction)
        if let alone = try pack.compressed(predecessors: [:]) {
            try ObjectStaging.replaceRecord(number, with: alone.bytes, transaction)
            return
        }
        try ObjectStaging.replacePack(
            number,
            with: (0..<pack.count).map { (pack.id($0), pack.header($0), pack.payload($0)) },
            at: (0..<pack.count).map { pack.location($0).unit }, transaction)
    }
}
