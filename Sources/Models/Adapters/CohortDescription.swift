package import Architectures
internal import Elements

/// What a cohort is, as the tensor `cohorts.NAME.cohort` of U8 says in JSON.
package struct CohortDescription: Sendable, Hashable {
    package enum Kind: String, Sendable, Hashable, Codable {
        /// `cohorts.NAME.TENSOR`: full-rank deltas of the base's tensors.
        case dense
        /// `cohorts.NAME.TENSOR.a` [rank, columns] and `.b` [rows, rank]: the delta is b a.
        case lora
    }

    package static let version = 1
    /// Of a cohort with experts of its own, which programs of version 1 could not run.
    package static let versionWithExperts = 2
    /// The longest description that is read.
    package static let largest = largestDescription

    package let kind: Kind
    /// Whether the base's expert layers run while the cohort is active.
    package let usesExperts: Bool
    /// What runs in place of the base's expert layers; nil for none.
    package let experts: CohortExperts?
    /// Which base the deltas are of: the digest of its trunk's tensors; empty when it is not known.
    package let base: String

    package init(kind: Kind, usesExperts: Bool, experts: CohortExperts? = nil, base: String) {
        precondition(!usesExperts || experts == nil, "the base's experts and others in their place")
        self.kind = kind
        self.usesExperts = usesExperts
        self.experts = experts
        self.base = base
    }

    private struct Fields: Codable {
        var version: Int
        var kind: Kind
        var base_experts: String
        var experts: CohortExperts.Fields?
        var base: String?
    }

    /// The JSON, its keys in order.
    package var encoded: [UInt8] {
        let version = experts == nil ? Self.version : Self.versionWithExperts
        let kept = usesExperts ? "kept" : "skipped"
        let own = experts.map { ",\"experts\":\($0.encoded)" } ?? ""
        let base = base.isEmpty ? "" : ",\"base\":\"\(base)\""
        return Array(
            ("{\"version\":\(version),\"kind\":\"\(kind.rawValue)\","
                + "\"base_experts\":\"\(kept)\"\(own)\(base)}").utf8)
    }

    /// - Parameter name: Of the cohort, for the error.
    /// - Throws: `.badTensor` when it is not a description that this version knows; `.badConfig` for experts
    ///   of impossible sizes.
    package init(_ json: [UInt8], of name: String) throws {
        guard let fields = description(Fields.self, json) else {
            throw CambiumError(
                .badTensor, "cohorts.\(name).cohort is not the description of a cohort")
        }
        let version = fields.experts == nil ? Self.version : Self.versionWithExperts
        guard fields.version == version, ["kept", "skipped"].contains(fields.base_experts),
            fields.experts == nil || fields.base_experts == "skipped"
        else {
            throw CambiumError(
                .badTensor,
                "cohorts.\(name).cohort has version \(fields.version) and base_experts "
                    + "\"\(fields.base_experts)\"; this version reads version \(Self.version), kept or "
                    + "skipped, and \(Self.versionWithExperts), skipped with experts of its own")
        }
        self.init(
            kind: fields.kind, usesExperts: fields.base_experts == "kept",
            experts: try fields.experts.map { own in
                try CohortExperts(own, of: name)
            }, base: fields.base ?? "")
    }

    /// What runs while the cohort is active, of a base.
    ///
    /// - Throws: `.badConfig` for layers that the base does not have, or that are left without a feed-forward.
    package func model(on base: ModelDescription) throws -> ModelDescription {
        if usesExperts { return base }
        let blocks: [Int: ModelDescription.Block] = experts?.blocks ?? [:]
        return try base.replacingExperts(blocks)
    }
}
