internal import Elements
internal import Interchange
internal import Objects
internal import Tensors

/// The experts of a checkpoint's pool, gathered, hashed and looked over in blocks on all cores; the
/// next block while the present one is staged.
struct ExpertBlocks {
    /// Some experts, one after the other.
    struct Part: Sendable {
        let bytes: [UInt8]
        let ids: [ObjectID]
        let nonFinite: [NonFiniteCount]
    }

    /// Bytes of a block: enough work for all cores, little beside what is being written.
    private static let blockBytes = 8 << 20
    private static let partsPerBlock = 32

    private let reader: PoolReader
    private let header: ObjectHeader
    private let partCount: Int
    private var next: Background<[Part]>?
    private var start = 0

    init(_ reader: PoolReader, _ header: ObjectHeader) {
        self.reader = reader
        self.header = header
        let experts = max(1, Self.blockBytes / max(header.payloadCount, 1))
        partCount = max(1, min(experts, 1 << 16) / Self.partsPerBlock)
        prepare()
    }

    /// The next block, or nil behind the last.
    mutating func block() -> [Part]? {
        guard let block = next?.wait() else { return nil }
        next = nil
        prepare()
        return block
    }

    private mutating func prepare() {
        let (reader, header, size) = (reader, header, partCount)
        let (start, end) = (start, min(start + size * Self.partsPerBlock, reader.pool.expertCount))
        guard start < end else { return }
        self.start = end
        next = Background {
            concurrentMap((end - start + size - 1) / size, grain: 1) { part in
                let first = start + part * size
                return Self.part(first..<min(first + size, end), reader, header)
            }
        }
    }

    private static func part(
        _ range: Range<Int>, _ reader: PoolReader, _ header: ObjectHeader
    ) -> Part {
        let size = header.payloadCount
        var bytes: [UInt8] = []
        bytes.reserveCapacity(range.count * size)
        for expert in range { reader.append(expert: expert, to: &bytes) }
        var ids: [ObjectID] = []
        var nonFinite: [NonFiniteCount] = []
        for position in 0..<range.count {
            let expert = bytes.raw.extracting((position * size)..<((position + 1) * size))
            ids.append(header.id(of: expert))
            nonFinite.append(NonFiniteCount(expert, header.parts))
        }
        return Part(bytes: bytes, ids: ids, nonFinite: nonFinite)
    }
}
