package import Architectures
internal import Elements

/// What an adapter is, as the tensor `cohorts.NAME.cohort` of U8 says in JSON.
package struct AdapterDescription: Sendable, Hashable {
    package enum Kind: String, Sendable, Hashable {
        /// `cohorts.NAME.TENSOR`: full-rank deltas of the base's tensors.
        case dense
        /// `cohorts.NAME.TENSOR.a` [rank, columns] and `.b` [rows, rank]: the delta is b a.
        case lora
        /// `cohorts.NAME.TENSOR`: other tensors in the place of the base's; pools NAME: other experts in the place of
        /// a layer's.
        case alternative
        /// As `dense`, of the embedding, the norms and the head alone.
        case small
    }

    package static let version = 1
    /// Of an adapter with experts of its own, which programs of version 1 could not run.
    package static let versionWithExperts = 2
    /// Of an adapter with hashed rows of its own.
    package static let versionWithRows = 3
    /// Of an alternative.
    package static let versionOfAlternatives = 4
    /// Of an alternative with more experts than the base has.
    package static let versionOfGrown = 5
    /// The most bits of evidence that an alternative's text can owe.
    package static let largestHandicap = 64
    /// The longest description that is read.
    package static let largest = largestDescription

    package let kind: Kind
    /// Whether the base's expert layers run while the adapter is active.
    package let usesExperts: Bool
    /// What runs in place of the base's expert layers; nil for none.
    package let experts: AdapterExperts?
    /// The layers in front of which it adds hashed rows of its own to the base's, ascending.
    package let rows: [Int]
    /// Of an alternative: the layers that have experts of its own in the place of the base's, ascending.
    package let replacedLayers: [Int]
    /// Of an alternative: how many experts more than the base it has in each of those layers, behind the base's.
    package let addedExperts: Int
    /// Of an alternative with more experts: bits of evidence that a text owes before the gate takes it to be as likely
    /// as the others.
    package let handicap: Int
    /// Which base the deltas are of: the digest of its trunk's tensors, and of all where its experts run; empty when
    /// it is not known.
    package let base: String
    /// The adapter as which it began, when it did not begin as nothing.
    package let startedFrom: String?

    package init(
        kind: Kind, usesExperts: Bool, experts: AdapterExperts? = nil, rows: [Int] = [],
        base: String, startedFrom: String? = nil
    ) {
        precondition(!usesExperts || experts == nil, "the base's experts and others in their place")
        precondition(
            experts.map { Set($0.layers).isDisjoint(with: rows) } ?? true,
            "rows and other experts in front of one layer")
        self.rows = rows
        self.kind = kind
        self.usesExperts = usesExperts
        self.experts = experts
        self.base = base
        self.startedFrom = startedFrom
        replacedLayers = []
        addedExperts = 0
        handicap = 0
    }

    /// An alternative to a base.
    ///
    /// - Parameters:
    ///   - added: Experts of each layer behind the base's.
    ///   - handicap: 0 without such experts, at most ``largestHandicap``.
    package init(replacing layers: [Int], adding added: Int = 0, handicap: Int = 0, base: String) {
        precondition(
            added > 0 ? (0...Self.largestHandicap).contains(handicap) : handicap == 0 && added == 0,
            "\(added) experts more, \(handicap) bits")
        kind = .alternative
        usesExperts = false
        experts = nil
        rows = []
        replacedLayers = layers
        addedExperts = added
        self.handicap = handicap
        self.base = base
        startedFrom = nil
    }

    /// The JSON, its keys in order.
    package var encoded: [UInt8] {
        if kind == .alternative {
            let layers = replacedLayers.map(String.init).joined(separator: ",")
            let version = addedExperts > 0 ? Self.versionOfGrown : Self.versionOfAlternatives
            let added =
                addedExperts > 0 ? "\"added\":\(addedExperts),\"handicap\":\(handicap)," : ""
            return Array(
                ("{\"version\":\(version),\"kind\":\"\(kind.rawValue)\","
                    + "\"layers\":[\(layers)],\(added)\"base\":\"\(base)\"}").utf8)
        }
        let version = Self.version(experts, rows)
        let kept = usesExperts ? "kept" : "skipped"
        let own = experts.map { ",\"experts\":\($0.encoded)" } ?? ""
        let added =
            rows.isEmpty ? "" : ",\"rows\":[\(rows.map(String.init).joined(separator: ","))]"
        let base = base.isEmpty ? "" : ",\"base\":\"\(base)\""
        let start = startedFrom.map { ",\"started_from\":\(quotedJSON($0))" } ?? ""
        return Array(
            ("{\"version\":\(version),\"kind\":\"\(kind.rawValue)\","
                + "\"base_experts\":\"\(kept)\"\(own)\(added)\(base)\(start)}").utf8)
    }

    private static func version(_ experts: AdapterExperts?, _ rows: [Int]) -> Int {
        rows.isEmpty ? experts == nil ? version : versionWithExperts : versionWithRows
    }

    /// - Parameter name: Of the adapter, for the error.
    /// - Throws: `.badTensor` when it is not a description that this version knows; `.badConfig` for experts
    ///   of impossible sizes.
    package init(_ json: [UInt8], of name: String) throws {
        let read = description(json)
        if let fields = read, fields["kind"]?.string == Kind.alternative.rawValue {
            self = try Self.alternative(fields, of: name)
            return
        }
        guard let fields = read, let version = fields["version"]?.whole,
            let kind = fields["kind"]?.string.flatMap(Kind.init),
            let runs = fields["base_experts"]?.string,
            let base = fields["base"].map({ $0 == .null ? "" : $0.string }) ?? ""
        else { throw Self.unreadable(name) }
        let own = fields["experts"].flatMap { $0 == .null ? nil : $0 }
        let experts = try own.map { own in try AdapterExperts(own, of: name) }
        let rows = try Self.rows(fields["rows"], of: name)
        guard version == Self.version(experts, rows),
            runs == "skipped" || runs == "kept" && own == nil,
            experts.map({ Set($0.layers).isDisjoint(with: rows) }) ?? true
        else {
            throw CambiumError(
                .badTensor,
                "\(AdapterTensorName.description(of: name)) has version \(version) and base_experts "
                    + "\"\(runs)\"; this version reads version \(Self.version), kept or "
                    + "skipped, \(Self.versionWithExperts), skipped with experts of its own, and "
                    + "\(Self.versionWithRows), with hashed rows of its own in other layers")
        }
        self.init(
            kind: kind, usesExperts: runs == "kept",
            experts: experts, rows: rows, base: base,
            startedFrom: try Self.start(fields["started_from"], of: name))
    }

    private static func start(_ field: JSONValue?, of name: String) throws -> String? {
        guard let field, field != .null else { return nil }
        guard let start = field.string, !start.isEmpty, start != name else {
            throw unreadable(name)
        }
        return start
    }

    private static func rows(_ field: JSONValue?, of name: String) throws -> [Int] {
        guard let field, field != .null else { return [] }
        let layers = field.array?.compactMap(\.whole) ?? []
        guard !layers.isEmpty, layers.count == field.array?.count, layers[0] >= 0,
            zip(layers, layers.dropFirst()).allSatisfy({ $0 < $1 })
        else { throw unreadable(name) }
        return layers
    }

    private static func alternative(
        _ fields: JSONValue, of name: String
    ) throws -> AdapterDescription {
        let isGrown = fields["version"]?.whole == versionOfGrown
        let (added, handicap) =
            isGrown ? (fields["added"]?.whole ?? 0, fields["handicap"]?.whole ?? -1) : (0, 0)
        guard isGrown || fields["version"]?.whole == versionOfAlternatives,
            !isGrown || (1...1 << 16).contains(added) && (0...largestHandicap).contains(handicap),
            let layers = fields["layers"]?.array?.map(\.whole),
            let base = fields["base"]?.string
        else { throw unreadable(name) }
        let numbers = layers.compactMap(\.self)
        guard numbers.count == layers.count, numbers.allSatisfy({ $0 >= 0 }),
            zip(numbers, numbers.dropFirst()).allSatisfy({ $0 < $1 })
        else { throw unreadable(name) }
        return AdapterDescription(
            replacing: numbers, adding: added, handicap: handicap, base: base)
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
        for layer in rows
        where !base.layers.indices.contains(layer) || base.layers[layer].rows == nil {
            throw CambiumError(
                .badConfig,
                "the base has no hashed rows in front of layer \(layer), to which the adapter's could be added"
            )
        }
        if kind == .alternative { return base.adding(addedExperts, to: replacedLayers) }
        if usesExperts { return base }
        let blocks: [Int: ModelDescription.Block] = experts?.blocks ?? [:]
        return try base.replacingExperts(blocks)
    }
}
