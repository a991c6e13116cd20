internal import Evidence
internal import Snapshots

extension FisherFile {
    /// What two sides recorded of one object, added up; nil when a side removed it or it is damaged.
    static func sum(_ values: [ConflictValue], _ name: String) -> ConflictValue? {
        var all: [[UInt8]] = []
        for value in values {
            guard let bytes = value.bytes else { return nil }
            all.append(bytes)
        }
        var sum: [Double] = []
        for bytes in all.sorted(by: { $0.lexicographicallyPrecedes($1) }) {
            guard let next = try? decoded(bytes, name) else { return nil }
            if sum.isEmpty { sum = [Double](repeating: 0, count: next.count) }
            guard next.count == sum.count else { return nil }
            for index in sum.indices { sum[index] += Double(next[index]) }
        }
        return ConflictValue(side: values[0].side, bytes: encoded(sum.map { Float($0) }))
    }
}
