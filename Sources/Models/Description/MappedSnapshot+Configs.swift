package import Architectures
internal import Elements
internal import Objects
package import Snapshots

extension MappedSnapshot {
    /// The sizes of a model that this version trains.
    ///
    /// - Parameter task: What is done with such models, for the message.
    /// - Throws: `.unsupported` for another architecture; `.badConfig`.
    package func peerConfig(_ task: String = "trains") throws -> PeerConfig {
        guard tree.architecture == Architecture.peerLM.name, let file = tree.files["config.json"]
        else {
            throw CambiumError(
                .unsupported,
                "\(id.short) is a '\(tree.architecture)' model; this version \(task) peer-lm models only"
            )
        }
        return try PeerConfig(json: data(of: file))
    }

    /// How counts predict beside the snapshot's models; nil where they do not.
    package func mixture() throws -> MixtureDescription? {
        try tree.files[MixtureDescription.fileName].map { try MixtureDescription(data(of: $0)) }
    }
}

extension CommitDraft {
    /// Lets counts predict beside the models from this commit on.
    package mutating func put(_ mixture: MixtureDescription) throws {
        tree.files[MixtureDescription.fileName] = try put(.file, mixture.encoded)
    }
}
