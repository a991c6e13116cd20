internal import Elements
internal import KeyValue

extension ObjectStaging {
    /// A pack to write.
    struct FinishedPack: Sendable {
        /// Its position among the packs of a staging.
        let position: Int
        let content: Content

        enum Content: Sendable {
            case record([UInt8])
            /// What is yet to be compressed.
            case differences(DifferencePack)

            func record() throws -> [UInt8] {
                switch self {
                case .record(let record): record
                case .differences(let pack): try pack.record()
                }
            }

            /// Bytes of memory that it takes, about.
            var memory: Int {
                switch self {
                case .record(let record): record.count
                case .differences(let pack): pack.memory
                }
            }
        }
    }

    struct WrittenPack: Sendable {
        let position: Int
        let number: UInt32
        /// Of the record.
        let bytes: Int
    }

    /// Appends packs and tells their numbers.
    ///
    /// - Parameter next: Gives one after the other away, so that each is freed when LMDB has it.
    static func write(
        _ next: () -> FinishedPack?, _ transaction: borrowing WriteTransaction
    ) throws -> [WrittenPack] {
        var written: [WrittenPack] = []
        let table = transaction.environment.table(ObjectStore.packTable)
        while let pack = next() {
            let number = try nextNumber(transaction)
            let record = try pack.content.record()
            try transaction.append(table, PackFormat.key(UInt64(number)), record)
            transaction.environment.step("pack \(number) written")
            written.append(
                WrittenPack(position: pack.position, number: number, bytes: record.count))
        }
        return written
    }

    /// Appends a pack of one object whose data are copied once, to where LMDB keeps them.
    static func write(
        _ position: Int, _ id: ObjectID, _ header: ObjectHeader, _ payload: RawSpan,
        _ transaction: borrowing WriteTransaction
    ) throws -> WrittenPack {
        let table = transaction.environment.table(ObjectStore.packTable)
        let number = try nextNumber(transaction)
        let (head, tail) = PackBuilder.frame(id, header)
        let count = head.count + header.payloadCount + tail.count
        try unsafe payload.withUnsafeBytes { bytes in
            try transaction.append(table, PackFormat.key(UInt64(number)), count: count) { record in
                record.replace(at: 0, by: head.raw)
                unsafe record.replace(at: head.count, by: RawSpan(_unsafeBytes: bytes))
                record.replace(at: head.count + bytes.count, by: tail.raw)
            }
        }
        transaction.environment.step("pack \(number) written")
        return WrittenPack(position: position, number: number, bytes: count)
    }

    private static func nextNumber(
        _ transaction: borrowing WriteTransaction
    ) throws -> UInt32 {
        let table = transaction.environment.table(ObjectStore.packTable)
        let last = try transaction.last(table).map { PackFormat.number($0.key) } ?? 0
        guard last < UInt64(UInt32.max) else {
            throw CambiumError(.io, "pack numbers are used up; export to a new store")
        }
        return UInt32(last) + 1
    }
}
