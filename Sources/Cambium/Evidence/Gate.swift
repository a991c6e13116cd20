internal import Objects
package import Routing

/// A gate solved from evidence: tells from a text's own bytes which cohort it belongs to.
///
/// All of it is integer arithmetic; the same evidence gives the same bits on any machine.
public struct Gate: Sendable {
    /// A cohort's share of a text.
    public struct Share: Sendable, Encodable, Equatable {
        /// The cohort's name.
        public let cohort: String
        /// 0 to 1; the shares of all cohorts add up to 1.
        public let weight: Double
    }

    /// The commit that it was solved for.
    public let commit: String
    /// The SHA-256 of its canonical form: the same set of evidence, the same id.
    public let id: String
    /// The classes, by ascending name.
    public let cohorts: [String]
    /// Picks among the classes, by their positions in `cohorts`.
    package let solved: CountGate

    /// - Returns: Nil without contributions.
    init?(_ commit: String, _ contributions: [CountContribution]) throws {
        guard !contributions.isEmpty else { return nil }
        let settings = CountGate.Settings.standard
        let (classes, gate) = try counted(.corrupt) {
            let classes = try CountGate.classes(of: contributions)
            return (classes, try CountGate(classes.map(\.counts), settings: settings))
        }
        self.commit = commit
        solved = gate
        cohorts = classes.map(\.name)
        id = try Store.fileID(CountGate.encoded(classes, settings)).hex
    }

    /// The shares of the cohorts after a text, the greatest first, equal ones by name.
    public func shares(after text: [UInt8]) -> [Share] {
        var state = solved.start
        for byte in text { solved.advance(&state, byte) }
        return shares(state)
    }

    /// As ``shares(after:)-([UInt8])``, of a text that is read part by part.
    public func shares(after text: TextSource) throws -> [Share] {
        var state = solved.start
        let length = 1 << 16
        for start in stride(from: 0, to: text.count, by: length) {
            for byte in try text.bytes(start..<min(start + length, text.count)) {
                solved.advance(&state, byte)
            }
        }
        return shares(state)
    }

    private func shares(_ state: CountGate.State) -> [Share] {
        let weights = solved.weights(state)
        let sum = Double(weights.reduce(0, +))
        // Indexes, since names are in the order of their bytes.
        return weights.indices.sorted { (weights[$0], $1) > (weights[$1], $0) }
            .map { Share(cohort: cohorts[$0], weight: Double(weights[$0]) / sum) }
    }
}
