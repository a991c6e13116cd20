package import Architectures
internal import Elements
internal import Objects
package import Snapshots

extension MappedSnapshot {
    /// A file that was committed with the model; nil when there is none of the name.
    package func file(_ name: String) throws -> [UInt8]? {
        guard let id = tree.files[name] else { return nil }
        return try data(of: id)
    }

    /// What the model is made of.
    ///
    /// - Throws: `unsupported` without a config.json, and for an architecture that this version does not run;
    ///   `bad-config`.
    package func modelDescription() throws -> ModelDescription {
        guard let config = try file("config.json") else {
            throw CambiumError(.unsupported, "\(id.short) has no config.json to run it by")
        }
        let architecture = tree.architecture
        guard ModelDescription.isKnown(architecture) else {
            throw CambiumError(
                .unsupported,
                "\(id.short) is a model of type '\(architecture)'; this version runs "
                    + ModelDescription.allArchitectures.joined(separator: ", "))
        }
        let generation = try file("generation_config.json")
        let description = try ModelDescription(
            architecture: architecture, json: config, generation: generation)
        guard description.architecture == architecture else {
            throw CambiumError(
                .unsupported,
                "\(id.short) is stored as a model of type '\(architecture)', and its config.json says "
                    + "'\(description.architecture)'; commit it again with one of them")
        }
        return description
    }

    /// The sizes of a model that this version trains.
    ///
    /// - Parameter task: What is done with such models, for the message.
    /// - Throws: `.unsupported` for another architecture; `.badConfig`.
    package func peerConfig(_ task: String = "trains") throws -> PeerConfig {
        guard tree.architecture == Architecture.peerLM.name, let file = tree.files["config.json"]
        else {
            throw CambiumError(
                .unsupported,
                "\(id.short) is a model of type '\(tree.architecture)'; this version \(task) peer-lm models only"
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
