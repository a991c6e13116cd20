internal import Elements
internal import KeyValue

/// Writing before the commit's own transaction.
extension ObjectStaging {
    /// Writes an object from where it lies: on its way to another thread it would be in memory twice.
    mutating func putAlone(
        _ id: ObjectID, _ header: ObjectHeader, _ payload: RawSpan
    ) throws {
        let position = packNumbers.count
        places.append((UInt32(position), 0))
        packNumbers.append(0)
        try finishWriting()
        let (environment, ahead) = (environment, ahead)
        let written = try unsafe payload.withUnsafeBytes { bytes in
            try Self.writing(environment) { transaction in
                let pack = try unsafe Self.write(
                    position, id, header, RawSpan(_unsafeBytes: bytes), transaction)
                try ahead.add([pack.number], transaction)
                return [pack]
            }.get()
        }
        settle(written)
        copies.renew()
    }

    /// Runs a transaction of packs that no index names yet.
    private static func writing(
        _ environment: Environment,
        _ body: (borrowing WriteTransaction) throws -> [WrittenPack]
    ) -> Result<[WrittenPack], any Error> {
        Stagings.writing {
            environment.writingBehind { Result { try environment.write("packs", body) } }
        }
    }

    /// Lets another thread write the finished packs when there are many.
    mutating func writeAhead() throws {
        guard finishedBytes >= flushThreshold else { return }
        try finishWriting()
        let (environment, ahead, packs) = (environment, ahead, finished)
        let write = Background {
            Result { PackBatch(try Self.compressed(packs)) }.flatMap { batch in
                Self.writing(environment) { transaction in
                    let written = try Self.write(batch.next, transaction)
                    try ahead.add(written.map(\.number), transaction)
                    return written
                }
            }
        }
        writing = WriteAhead(write)
        finished = []
        finishedBytes = 0
    }

    /// The records of packs of differences, made on all cores.
    static func compressed(_ packs: [FinishedPack]) throws -> [FinishedPack] {
        let results = concurrentMap(packs.count, grain: 1) { index in
            Result {
                FinishedPack(
                    position: packs[index].position,
                    content: .record(try packs[index].content.record()))
            }
        }
        return try results.map { try $0.get() }
    }
}
