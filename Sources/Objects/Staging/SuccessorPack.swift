internal import Elements

/// A pack in the making of objects that take the place of stored ones.
///
/// Where little changed, it is stored as differences. Many share it, since a difference is small and a record
/// takes whole pages; where much changed, the objects go to packs of the usual kinds.
struct SuccessorPack: Sendable {
    /// Bytes of the objects of a full one, unless one object has more.
    private static let target = 4 << 20

    /// What the objects take the place of, and which of the staged objects they are.
    struct Versions: Sendable {
        var predecessors: [Predecessor] = []
        var members: [Int] = []
        let position: Int
    }

    private var builder: PackBuilder
    private var versions: Versions

    /// - Parameters:
    ///   - position: Among the packs of the staging.
    ///   - first: The header of the first object; without, nothing is added.
    init(position: Int = 0, first: ObjectHeader? = nil) {
        versions = Versions(position: position)
        // Grown step by step, a record is copied several times.
        builder = PackBuilder(
            capacity: first.map { max(Self.target, $0.payloadCount) + 65_536 } ?? 0)
    }

    var isEmpty: Bool { builder.isEmpty }

    var position: Int { versions.position }

    func hasRoom(_ header: ObjectHeader) -> Bool {
        isEmpty || builder.size(adding: header) <= Self.target
    }

    /// Adds an object and returns its unit.
    ///
    /// - Parameter object: Its position among the staged objects.
    mutating func add(
        _ id: ObjectID, _ header: ObjectHeader, _ payload: RawSpan, after predecessor: Predecessor,
        _ object: Int
    ) -> UInt32 {
        versions.predecessors.append(predecessor)
        versions.members.append(object)
        return builder.add(id, header, payload)
    }

    consuming func finish() -> ObjectStaging.FinishedPack {
        ObjectStaging.FinishedPack(
            position: versions.position, record: builder.finish(), successors: versions)
    }
}

extension SuccessorPack.Versions {
    /// The records to write: the pack as differences, or its objects in packs of the usual kinds.
    func settled(_ record: [UInt8], _ copies: StoredCopies) throws -> [ObjectStaging.FinishedPack] {
        let pack = try Pack(number: 0, record: MappedBytes(copying: record), checksum: false)
        if let difference = try copies.difference(of: pack, from: predecessors) {
            return [ObjectStaging.FinishedPack(position: position, record: difference)]
        }
        // A large one alone is a pack of the usual kind already.
        if members.count == 1, pack.header(0).payloadCount >= PackFormat.largeObject {
            return [ObjectStaging.FinishedPack(position: position, record: record)]
        }
        var packs: [ObjectStaging.FinishedPack] = []
        var open = PackBuilder()
        var held: [(object: Int, unit: UInt32)] = []
        func close() {
            guard !open.isEmpty else { return }
            let builder = open
            open = PackBuilder()
            packs.append(
                ObjectStaging.FinishedPack(position: nil, record: builder.finish(), members: held))
            held = []
        }
        for (index, object) in members.enumerated() {
            let header = pack.header(index)
            let isLarge = header.payloadCount >= PackFormat.largeObject
            if isLarge || open.size(adding: header) > PackFormat.target { close() }
            held.append((object, open.add(pack.id(index), header, pack.payload(index).bytes)))
            if isLarge { close() }
        }
        close()
        return packs
    }
}
