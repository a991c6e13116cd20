internal import Elements
package import KeyValue

extension ObjectStaging {
    /// Writes copies of stored objects to new packs; the index names the copies from then on.
    package static func move(
        _ objects: [StoredObject], _ transaction: borrowing WriteTransaction
    ) throws(ObjectError) {
        var finished: [FinishedPack] = []
        var open = PackBuilder()
        var units: [(id: ObjectID, unit: UInt32)] = []
        func close() {
            guard !open.isEmpty else { return }
            let builder = open
            finished.append(FinishedPack(record: builder.finish(), units: units))
            open = PackBuilder()
            units = []
        }
        for object in objects {
            if !open.isEmpty, open.size(adding: object.header) > PackFormat.target { close() }
            let unit = open.add(object.id, object.header, object.payload.bytes)
            units.append((object.id, unit))
            if object.header.payloadCount >= PackFormat.largeObject { close() }
        }
        close()
        _ = try write(finished, transaction)
    }

    /// Rebuilds the location index from the packs' directories.
    ///
    /// Where an object lies in several packs the newest pack counts, as the index had it.
    ///
    /// - Parameters:
    ///   - gone: Packs to leave out.
    ///   - live: The only objects to keep; nil for all.
    package static func rebuildIndex(
        without gone: Set<UInt32> = [], keeping live: Set<ObjectID>? = nil,
        _ transaction: borrowing WriteTransaction
    ) throws(ObjectError) {
        var newest: [ObjectID: Location] = [:]
        let table = transaction.environment.table(ObjectStore.packTable)
        try transaction.scan(table) { (key, record) throws(ObjectError) in
            let number = try PackFormat.packNumber(key)
            guard !gone.contains(number) else { return true }
            let pack = try Pack(number: number, record: record)
            for index in 0..<pack.count where live?.contains(pack.id(index)) ?? true {
                newest[pack.id(index)] = pack.location(index)
            }
            return true
        }
        try LocationIndex.replace(
            with: newest.map { IndexEntry(id: $0.key, location: $0.value) }, transaction)
    }
}
