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
        let found = try read { transaction in
            guard let found = try ObjectReader(transaction).find(id, transaction) else {
                throw ObjectReader.missing(id)
            }
            return found
        }
        return try objects([found])[0]
    }

    /// Some objects of packs of this environment, in their order; what they need of remotes is asked for together.
    ///
    /// - Throws: As ``object(_:)``.
    package func objects(_ wanted: [(pack: Pack, index: Int)]) throws -> [StoredObject] {
        let ranges = try read { transaction in
            try ObjectReader(transaction).promises(of: wanted, transaction)
        }
        let fetched = try ranges.isEmpty ? [] : promisedBulk?.read(ranges) ?? []
        return try read { transaction in
            let reader = try ObjectReader(transaction)
            reader.packs.keep(fetched, of: ranges)
            return try wanted.map { try reader.stored($0.pack, $0.index, transaction) }
        }
    }
}
