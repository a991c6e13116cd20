internal import Elements
package import Routing
internal import Snapshots

/// How what a snapshot's models and its evidence say is put together, as the file `mixture.json` of the
/// snapshot says; without the file, counts pick adapters and predict nothing.
package struct MixtureDescription: Sendable, Hashable {
    package static let fileName = Tree.mixtureName
    package static let version = 1

    /// How counts predict beside the models.
    package let counts: CountExpert.Settings

    package init(counts: CountExpert.Settings = .standard) { self.counts = counts }

    /// The JSON, its keys in order.
    package var encoded: [UInt8] {
        Array(
            ("{\"version\":\(Self.version),\"counts\":{\"pseudo_count\":\(counts.pseudoCount),"
                + "\"model_share\":\(counts.modelShare)}}").utf8)
    }

    /// - Throws: `.badConfig` when it is not a description that this version knows.
    package init(_ json: [UInt8]) throws {
        guard let fields = description(json), let version = fields["version"]?.whole,
            let pseudo = fields["counts"]?["pseudo_count"]?.number.map({ Float($0) }),
            let share = fields["counts"]?["model_share"]?.number.map({ Float($0) })
        else {
            throw CambiumError(
                .badConfig,
                "\(Self.fileName) does not say how counts and models are mixed; revert the commit that "
                    + "changed it")
        }
        guard version == Self.version, pseudo > 0, pseudo <= 1e6, share > 0, share <= 1 else {
            throw CambiumError(
                .badConfig,
                "\(Self.fileName) has version \(version), a pseudo-count of \(pseudo) and a model's "
                    + "share of \(share); this version reads version \(Self.version), a pseudo-count above 0 "
                    + "and at most 1,000,000, and a share above 0 and at most 1")
        }
        self.init(counts: CountExpert.Settings(pseudoCount: pseudo, modelShare: share))
    }
}
