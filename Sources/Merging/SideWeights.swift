internal import Elements
internal import Objects
internal import Snapshots

extension SnapshotStore {
    /// One weight per side, and how the commit records them.
    ///
    /// - Parameters:
    ///   - given: By any name of a side.
    ///   - names: All names of each side; the first is recorded.
    func weights(
        _ given: [String: Double], _ names: [ObjectID: [String]], _ sides: [ObjectID]
    ) throws -> (values: [Double], text: String) {
        let known = Set(names.values.joined())
        for (name, weight) in given {
            guard known.contains(name) else {
                throw CambiumError(
                    .usage,
                    "--weight names '\(name)', which is none of "
                        + known.sorted().joined(separator: ", "))
            }
            guard weight.isFinite, weight > 0 else {
                throw CambiumError(
                    .usage, "the weight of '\(name)' is \(weight); give a number above 0")
            }
        }
        var tokens: [Double?] = []
        for id in sides {
            let commit = try commit(id)
            let count = commit.metadata["tokens"].flatMap { Double($0) }
            tokens.append(count.flatMap { $0.isFinite && $0 > 0 ? $0 : nil })
        }
        // The target often is the merge base itself, which no conflict involves.
        let counted = tokens.dropFirst().allSatisfy { $0 != nil }
        var values: [Double] = []
        var texts: [String] = []
        for (side, id) in sides.enumerated() {
            let aliases = names[id] ?? [id.short]
            let named = Set(aliases.compactMap { given[$0] })
            guard named.count <= 1 else {
                throw CambiumError(
                    .usage,
                    "\(aliases.joined(separator: " and ")) are one commit, \(id.short), with "
                        + "different weights; give it one")
            }
            let value = named.first ?? (counted ? tokens[side] ?? 1 : 1)
            values.append(value)
            texts.append("\(aliases[0])=\(value)")
        }
        return (values, texts.joined(separator: ","))
    }
}
