internal import Elements

extension ObjectStaging {
    /// Stages a pack that came from elsewhere and whose data did not.
    ///
    /// - Throws: `.corrupt` when it is none, holds what names other objects, or needs an object that is neither stored nor
    ///   staged.
    package mutating func put(arrived record: [UInt8]) throws {
        let pack = try Pack(number: 0, record: MappedBytes(copying: record))
        guard pack.headerRuns.allSatisfy({ $0.header.kind.isData }) else {
            throw CambiumError(.corrupt, "a pack that came holds records of a tree")
        }
        for (_, id) in pack.predecessors {
            guard try contains(id) else {
                throw CambiumError(
                    .corrupt,
                    "a pack holds differences from object \(id.short), which did not come with it: the remote is "
                        + "damaged")
            }
        }
        try put(record: record)
    }
}
