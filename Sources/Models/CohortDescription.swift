/// What a cohort of deltas is, as the tensor `cohorts.NAME.cohort` of U8 says in JSON.
package struct CohortDescription: Sendable, Hashable {
    package enum Kind: String, Sendable, Hashable, Codable {
        /// `cohorts.NAME.TENSOR`: full-rank deltas of the base's tensors.
        case dense
        /// `cohorts.NAME.TENSOR.a` [rank, columns] and `.b` [rows, rank]: the delta is b a.
        case lora
    }

    package static let version = 1
    /// The longest description that is read.
    package static let largest = largestDescription

    package let kind: Kind
    /// Whether the base's expert layers run while the cohort is active.
    package let usesExperts: Bool
    /// Which base the deltas are of: the digest of its trunk's tensors; empty when it is not known.
    package let base: String

    package init(kind: Kind, usesExperts: Bool, base: String) {
        self.kind = kind
        self.usesExperts = usesExperts
        self.base = base
    }

    private struct Fields: Codable {
        var version: Int
        var kind: Kind
        var base_experts: String
        var base: String?
    }

    /// The JSON, its keys in order.
    package var encoded: [UInt8] {
        let experts = usesExperts ? "kept" : "skipped"
        let base = base.isEmpty ? "" : ",\"base\":\"\(base)\""
        return Array(
            ("{\"version\":\(Self.version),\"kind\":\"\(kind.rawValue)\","
                + "\"base_experts\":\"\(experts)\"\(base)}").utf8)
    }

    /// - Parameter name: Of the cohort, for the error.
    /// - Throws: `.badTensor` when it is not a description that this version knows.
    package init(_ json: [UInt8], of name: String) throws(ModelError) {
        guard let fields = description(Fields.self, json) else {
            throw ModelError(
                .badTensor, "cohorts.\(name).cohort is not the description of a cohort")
        }
        guard fields.version == Self.version,
            ["kept", "skipped"].contains(fields.base_experts)
        else {
            throw ModelError(
                .badTensor,
                "cohorts.\(name).cohort has version \(fields.version) and base_experts "
                    + "\"\(fields.base_experts)\"; this version reads version \(Self.version), kept or "
                    + "skipped")
        }
        self.init(
            kind: fields.kind, usesExperts: fields.base_experts == "kept",
            base: fields.base ?? "")
    }
}

extension CohortDescription {
    /// The tensor that describes a cohort.
    package static func tensorName(_ cohort: String) -> String { "cohorts.\(cohort).cohort" }

    /// The cohort that a tensor describes, or nil when it describes none.
    package static func cohort(describedBy tensor: String) -> String? {
        guard tensor.hasPrefix("cohorts."), tensor.hasSuffix(".cohort"),
            tensor.utf8.count > "cohorts..cohort".utf8.count
        else { return nil }
        return String(tensor.dropFirst("cohorts.".count).dropLast(".cohort".count))
    }
}
