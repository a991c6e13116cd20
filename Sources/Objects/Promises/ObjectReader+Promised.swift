internal import Elements
package import KeyValue

extension ObjectReader {
    /// Asks for what several objects need of remotes together, in one call.
    ///
    /// It is used, and let go of, when the objects are read next. What cannot be found is left to whoever reads it.
    package func fetch(
        _ objects: [(pack: Pack, index: Int)],
        _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws {
        guard fetches, let bulk = transaction.environment.promisedBulk else { return }
        let ranges = try promises(of: objects, transaction)
        guard ranges.count > 1 else { return }
        packs.keep(zip(ranges, try bulk.read(ranges)).map { (key: $0, value: $1) })
    }

    /// The ranges of remote packs that objects are made of, in order.
    func promises(
        of objects: [(pack: Pack, index: Int)],
        _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws -> [BulkRange] {
        var wanted: Set<BulkRange> = []
        for object in objects {
            try addPromises(of: object.pack, object.index, to: &wanted, transaction)
        }
        return wanted.sorted {
            ($0.pack, $0.range.lowerBound) < ($1.pack, $1.range.lowerBound)
        }
    }

    /// Adds the ranges of remote packs that an object is made of: its own, and those of what it is a difference from.
    private func addPromises(
        of pack: Pack, _ index: Int, to ranges: inout Set<BulkRange>,
        _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws {
        var (next, position) = (pack, index)
        // As long as a chain may be; one that is longer is refused when it is read.
        for _ in 0...ColdPack.greatestDepth {
            guard !next.isReadable, next.segmented == nil else { return }
            if let range = next.promise(of: position) ?? next.promise, range.count > 0 {
                ranges.insert(range)
            }
            guard let base = next.difference(of: position)?.base,
                let found = try find(base, transaction)
            else { return }
            (next, position) = found
        }
    }

    /// Whether a pack's data can be read without a remote: neither its own are promised, nor what they are differences
    /// from or consist of.
    package func isHere(
        _ pack: Pack, _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws -> Bool {
        var seen: Set<UInt32> = [pack.number]
        var waiting = [pack]
        while let next = waiting.popLast() {
            if next.isPromised { return false }
            for (_, id) in next.predecessors {
                guard let found = try find(id, transaction)?.pack else { continue }
                if seen.insert(found.number).inserted { waiting.append(found) }
            }
        }
        return true
    }

    /// An object of a raw promised pack, checked against its name.
    func fetched(
        _ pack: Pack, _ index: Int, _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws -> StoredObject {
        guard let range = pack.promise(of: index) else {
            preconditionFailure("pack \(pack.number) is not promised")
        }
        let ahead = packs.ahead.removeValue(forKey: range)
        return try pack.fetched(
            index, ahead, try bulk(of: pack, transaction))
    }

    /// The block of a compressed pack, opened; fetched where it is promised.
    func block(
        of pack: Pack, _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws -> ColdGroup {
        guard let cold = pack.cold else {
            preconditionFailure("pack \(pack.number) is not compressed")
        }
        guard let promise = pack.promise else {
            return try packs.blocks.group(of: pack) {
                do {
                    return try pack.group(pack.record.slice(cold.block).bytes)
                } catch let error as CambiumError where error.code == .corrupt {
                    throw CambiumError(
                        .corrupt,
                        "pack \(pack.number) cannot be decompressed, it was damaged on disk: "
                            + error.message)
                }
            }
        }
        let bulk = try bulk(of: pack, transaction)
        let ahead = packs.ahead.removeValue(forKey: promise)
        return try packs.blocks.group(of: pack) {
            try bulk.read(promise, ahead) { try pack.group($0.bytes) }
        }
    }

    private func bulk(
        of pack: Pack, _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws -> any PromisedBulk {
        guard fetches else { throw Self.notHere(pack) }
        return try transaction.environment.bulk(of: pack)
    }

    /// What a reader that fetches nothing throws.
    private static func notHere(_ pack: Pack) -> CambiumError {
        CambiumError(.remote, "the data of pack \(pack.number) lie on a remote")
    }
}

extension Environment {
    /// Where the data of a promised pack come from.
    ///
    /// - Throws: `remote` when nobody said.
    func bulk(of pack: Pack) throws -> any PromisedBulk {
        guard let bulk = promisedBulk else {
            throw CambiumError(
                .remote,
                "the data of pack \(pack.number) lie on a remote, and \(path) has none that could be asked; "
                    + "`cambium remote ls` lists its remotes, `cambium remote add` names one")
        }
        return bulk
    }
}

extension Pack {
    /// The object at `index` of a raw promised pack, checked against its name.
    ///
    /// - Parameter ahead: Its bytes, where they were fetched before.
    func fetched(
        _ index: Int, _ ahead: MappedBytes?, _ bulk: any PromisedBulk
    ) throws -> StoredObject {
        guard let range = promise(of: index) else {
            preconditionFailure("pack \(number) is not promised")
        }
        let (id, header) = (id(index), header(index))
        return try bulk.read(range, ahead) { bytes in
            let actual = header.id(of: bytes.bytes)
            guard actual == id else {
                throw CambiumError(
                    .corrupt, "what should be object \(id.short) hashes to \(actual.short)")
            }
            return StoredObject(
                id: id, header: header, payload: bytes, location: location(index),
                isDecoded: true, isHashed: true, isAlone: true)
        }
    }
}

extension PromisedBulk {
    /// Reads a range and makes something of it that tells whether it is what it should be; once more when it is not: what a
    /// remote has is right, as a rule, and what was kept of it may have been damaged.
    fileprivate func read<Result>(
        _ range: BulkRange, _ ahead: MappedBytes?, _ body: (MappedBytes) throws -> Result
    ) throws -> Result {
        do {
            return try body(try ahead ?? bytes(range))
        } catch let error as CambiumError where error.code == .corrupt {
            forget([range])
        }
        do {
            return try body(try bytes(range))
        } catch let error as CambiumError where error.code == .corrupt {
            forget([range])
            throw CambiumError(
                .corrupt,
                "bytes \(range.range) of the remote's pack \(range.pack.hex) are not what they should be: "
                    + "\(error.message). It was damaged there; push the intact objects again")
        }
    }

    private func bytes(_ range: BulkRange) throws -> MappedBytes {
        guard range.count > 0 else { return MappedBytes(copying: []) }
        let bytes = try read([range])
        guard bytes.count == 1, bytes[0].count == range.count else {
            throw CambiumError(
                .network,
                "a remote gave another length than \(range.count) bytes of pack \(range.pack.hex)")
        }
        return bytes[0]
    }
}
