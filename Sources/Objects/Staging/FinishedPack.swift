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
        var last = try transaction.last(table).map { PackFormat.number($0.key) } ?? 0
        while let pack = next() {
            guard last < UInt64(UInt32.max) else {
                throw CambiumError(.io, "pack numbers are used up; export to a new store")
            }
            last += 1
            let record = try pack.content.record()
            try transaction.append(table, PackFormat.key(last), record)
            transaction.environment.step("pack \(last) written")
            written.append(
                WrittenPack(position: pack.position, number: UInt32(last), bytes: record.count))
        }
        return written
    }
}
