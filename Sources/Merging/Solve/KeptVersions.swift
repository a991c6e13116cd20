internal import Elements
internal import Objects
internal import Snapshots

/// The experts of a layer when every version of a changed one is kept: the first base's stay where they are, every other
/// version comes behind them.
struct KeptVersions {
    /// A version of an expert, by a source that has it.
    struct Version {
        let expert: Int
        /// Among bases and then sides.
        let source: Int
        let id: ObjectID
    }

    /// Behind the layer's own, by expert and then by id.
    private(set) var added: [Version] = []
    /// By source, of each of its experts the slot.
    private(set) var places: [[Int]]
    /// The slots of experts that several versions are kept of, ascending.
    private(set) var several: [Int]

    /// - Parameters:
    ///   - changed: Experts that are not the same in all sources, ascending.
    ///   - count: Experts of a source.
    ///   - sources: Bases, and then sides.
    ///   - order: Of the sources, by their content: of several that have a version, the first gives it.
    init(_ changed: [Int], count: Int, sources: [MappedExperts], order: [Int]) throws {
        places = sources.map { _ in Array(0..<count) }
        several = changed
        for expert in changed {
            let ids = try sources.map { try $0.id(expert) }
            for id in Set(ids).sorted() where id != ids[0] {
                let slot = count + added.count
                for source in ids.indices where ids[source] == id { places[source][expert] = slot }
                guard let source = order.first(where: { ids[$0] == id }) else { continue }
                added.append(Version(expert: expert, source: source, id: id))
                several.append(slot)
            }
        }
    }

    /// Adds slots that no source has an expert for, since all layers have equally many: copies of what the layer has,
    /// which no token is to select.
    mutating func fill(to count: Int, first: ObjectID) {
        let own = added.isEmpty ? [Version(expert: 0, source: 0, id: first)] : added
        while added.count < count { added.append(own[added.count % own.count]) }
    }
}
