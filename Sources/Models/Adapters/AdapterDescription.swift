package import Architectures
internal import Elements

/// What an adapter is, as the tensor `cohorts.NAME.cohort` of U8 says in JSON.
package struct AdapterDescription: Sendable, Hashable {
    package enum Kind: String, Sendable, Hashable {
        /// `cohorts.NAME.TENSOR`: full-rank deltas of the base's tensors.
        case dense
        /// `cohorts.NAME.TENSOR.a` [rank, columns] and `.b` [rows, rank]: the delta is b a.
        case lora
    }

    package static let version = 1
    /// Of an adapter with experts of its own, which programs of version 1 could not run.
    package static let versionWithExperts = 2
    /// The longest description that is read.
    package static let largest = largestDescription

    package let kind: Kind
    /// Whether the base's expert layers run while the adapter is active.
    package let usesExperts: Bool
    /// What runs in place of the base's expert layers; nil for none.
    package let experts: AdapterExperts?
    /// Which base the deltas are of: the digest of its trunk's tensors; empty when it is not known.
    package let base: String

    package init(kind: Kind, usesExperts: Bool, experts: AdapterExperts? = nil, base: String) {
        precondition(!usesExperts || experts == nil, "the base's experts and others in their place")
        self.kind = kind
        self.usesExperts = usesExperts
        self.experts = experts
        self.base = base
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

    /// - Parameter name: Of the adapter, for the error.
    /// - Throws: `.badTensor` when it is not a description that this version knows; `.badConfig` for experts
    ///   of impossible sizes.
    package init(_ json: [UInt8], of name: String) throws {
        guard let fields = description(json), let version = fields["version"]?.whole,
            let kind = fields["kind"]?.string.flatMap(Kind.init),
            let runs = fields["base_experts"]?.string,
            let base = fields["base"].map({ $0 == .null ? "" : $0.string }) ?? ""
        else { throw Self.unreadable(name) }
        let own = fields["experts"].flatMap { $0 == .null ? nil : $0 }
        guard version == (own == nil ? Self.version : Self.versionWithExperts),
            runs == "skipped" || runs == "kept" && own == nil
        else {
            throw CambiumError(
                .badTensor,
                "\(AdapterTensorName.description(of: name)) has version \(version) and base_experts "
                    + "\"\(runs)\"; this version reads version \(Self.version), kept or "
                    + "skipped, and \(Self.versionWithExperts), skipped with experts of its own")
        }
        self.init(
            kind: kind, usesExperts: runs == "kept",
            experts: try own.map { own in try AdapterExperts(own, of: name) }, base: base)
    }

    static func unreadable(_ name: String) -> CambiumError {
        CambiumError(
            .badTensor,
            "\(AdapterTensorName.description(of: name)) is not the description of an adapter")
    }

    /// What runs while the adapter is active, of a base.
    ///
    /// - Throws: `.badConfig` for layers that the base does not have, or that are left without a feed-forward.
    package func model(on base: ModelDescription) throws -> ModelDescription {
        if usesExperts { return base }
        let blocks: [Int: ModelDescription.Block] = experts?.blocks ?? [:]
        return try base.replacingExperts(blocks)
    }
}
