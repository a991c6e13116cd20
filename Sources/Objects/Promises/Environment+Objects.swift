internal import Elements
package import KeyValue

extension Environment {
    /// The object named `id`.
    ///
    /// What of it lies on a remote is fetched while no transaction is open, since a reader keeps freed pages from being
    /// used. For a caller whose lease keeps the object.
    ///
    /// - Throws: As ``ObjectReader/object(_:_:)``, and what reading a remote throws.
    package func object(_ id: ObjectID) throws -> StoredObject {
        guard promisedBulk != nil else {
            return try read { try ObjectReader($0).object(id, $0) }
        }
        return try objects([id])[0]
    }

    /// Some objects, in their order; what they need of remotes is asked for together.
    ///
    /// - Throws: As ``object(_:)``.
    package func objects(_ ids: [ObjectID]) throws -> [StoredObject] {
        let found = try read { transaction in
            let reader = try ObjectReader(transaction)
            return try ids.map { id in
                guard let found = try reader.find(id, transaction) else {
                    throw ObjectReader.missing(id)
                }
                return found
            }
        }
        return try objects(found)
    }

    /// Some objects of packs of this environment, in their order; what they need of remotes is asked for together.
    ///
    /// - Throws: As ``object(_:)``.
    package func objects(_ wanted: [(pack: Pack, index: Int)]) throws -> [StoredObject] {
        let ranges = try read { transaction in
            try ObjectReader(transaction).promises(of: wanted, transaction)
        }
        let bulk = promisedBulk
        let fetched = Dictionary(
            zip(ranges, try ranges.isEmpty ? [] : bulk?.read(ranges) ?? []),
            uniquingKeysWith: { first, _ in first })
        // What is raw there needs nothing but to be hashed.
        let alone = concurrentMap(wanted.count, grain: 1) { position in
            wanted[position].pack.promise(of: wanted[position].index).flatMap { range in
                bulk.flatMap { bulk in
                    fetched[range].map { bytes in
                        Result {
                            try wanted[position].pack.fetched(wanted[position].index, bytes, bulk)
                        }
                    }
                }
            }
        }
        if !alone.contains(where: { $0 == nil }) { return try alone.compactMap { try $0?.get() } }
        return try read { transaction in
            let reader = try ObjectReader(transaction)
            reader.packs.keep(fetched)
            return try zip(wanted, alone).map { (object, ready) in
                try ready?.get() ?? reader.stored(object.pack, object.index, transaction)
            }
        }
    }
}
