package import Elements
package import KeyValue

extension ObjectStaging {
    /// Writes copies of stored objects to new packs and returns where each now lies, in the order
    /// of `objects`.
    ///
    /// The index names the copies from then on.
    ///
    /// - Throws: `.corrupt` for an object whose data do not match its name.
    package static func move(
        _ objects: [StoredObject], _ transaction: borrowing WriteTransaction
    ) throws -> [Location] {
        try check(objects)
        var finished: [FinishedPack] = []
        var open = PackBuilder()
        var places: [(pack: Int, unit: UInt32)] = []
        func close() {
            guard !open.isEmpty else { return }
            let builder = open
            open = PackBuilder()
            finished.append(
                FinishedPack(position: finished.count, content: .record(builder.finish())))
        }
        for object in objects {
            let isLarge = object.header.payloadCount >= PackFormat.largeObject
            if isLarge || !open.isEmpty && open.size(adding: object.header) > PackFormat.target {
                close()
            }
            let unit = open.add(object.id, object.header, object.payload.bytes)
            places.append((finished.count, unit))
            if isLarge { close() }
        }
        close()
        let written = try write(PackBatch(finished).next, transaction)
        let locations = places.map { Location(pack: written[$0.pack].number, unit: $0.unit) }
        try LocationIndex.add(
            zip(objects, locations).map { IndexRow($0.id.prefix, $1) }, transaction)
        return locations
    }

    /// Hashes objects against their names, on all cores.
    private static func check(_ objects: [StoredObject]) throws {
        StoredObject.willRead(objects)
        let results = concurrentMap(objects.count, grain: 32) { index in
            Result { try objects[index].check() }
        }
        for result in results { try result.get() }
    }

    /// Writes a pack again under its number, its objects at the same units.
    ///
    /// For migrations: what maps the pack sees other bytes.
    package static func replacePack(
        _ number: UInt32,
        with objects: [(id: ObjectID, header: ObjectHeader, payload: MappedBytes)],
        at units: [UInt32], _ transaction: borrowing WriteTransaction
    ) throws {
        var builder = PackBuilder()
        for (object, unit) in zip(objects, units) {
            guard builder.add(object.id, object.header, object.payload.bytes) == unit else {
                throw CambiumError(
                    .corrupt, "pack \(number) has a gap before unit \(unit); restore a backup")
            }
        }
        try replaceRecord(number, with: builder.finish(), transaction)
    }

    /// Replaces a pack's record by another form of it: the same objects at the same places.
    package static func replaceRecord(
        _ number: UInt32, with record: [UInt8], _ transaction: borrowing WriteTransaction
    ) throws {
        let table = transaction.environment.table(ObjectStore.packTable)
        try transaction.put(table, PackFormat.key(UInt64(number)), record)
        transaction.environment.step("pack \(number) rewritten")
    }

    /// Replaces the location index by one that names exactly `objects`.
    package static func replaceIndex(
        with objects: [(id: ObjectID, location: Location)],
        _ transaction: borrowing WriteTransaction
    ) throws {
        try LocationIndex.replace(
            with: objects.map { IndexRow($0.id.prefix, $0.location) }, transaction)
    }

    /// Replaces the location index by one of these entries, of which each names a place by the first
    /// eight bytes of the id there; for migrations.
    package static func replaceIndex(
        withPrefixes entries: [(prefix: UInt64, location: Location)],
        _ transaction: borrowing WriteTransaction
    ) throws {
        try LocationIndex.replace(
            with: entries.map { IndexRow($0.prefix, $0.location) }, transaction)
    }
}
