/// Merges versions of a JSON object member by member, where each member says for itself which version counts.
///
/// What is taken keeps the spelling that it has in its text. The outcome does not depend on the order of the sides.
package struct JSONMerge {
    /// An object that lists parts of something beside members that are the same in all of its versions: where it is not
    /// there, it lists none.
    package struct Parts {
        let field: String
        let frame: [String]
        let mark: (key: String, value: String)

        /// - Parameters:
        ///   - field: The name of the object.
        ///   - frame: Its members that are no parts.
        ///   - mark: The member of the frame that tells it from other objects of the name.
        package init(_ field: String, frame: [String], mark: (key: String, value: String)) {
            (self.field, self.frame, self.mark) = (field, frame, mark)
        }
    }

    package typealias Values = [SpelledJSON.Value?]

    /// The merged text; what `choose` did not settle is as the first of its sides has it.
    package private(set) var bytes: [UInt8] = []
    /// The paths of members that sides changed differently and nothing settled: `rope_scaling.factor`.
    package private(set) var contradictions: [String] = []
    /// Those that `choose` settled.
    package private(set) var chosen: [String] = []

    private let texts: [[UInt8]]
    private let standing: (_ bases: Values, _ sides: Values) -> [Int]
    private let choose: ([Int]) -> Int?
    private let parts: Parts?
    /// The sides by their bytes, so that none is before another for its place.
    private let order: [Int]

    /// What becomes of a member.
    private indirect enum Piece {
        case absent
        case taken(Int, SpelledJSON)
        /// Members with the side that each is spelled by, in the braces of another's.
        case object(Int, SpelledJSON, [(side: Int, member: SpelledJSON.Member, piece: Piece)])
    }

    /// - Parameters:
    ///   - standing: The sides of whose values one counts, by the values of bases and sides; nil is no value.
    ///   - choose: Of sides in contradiction the one that counts, if any does.
    /// - Throws: `code` for a side or base that is no JSON object.
    package init(
        bases: [[UInt8]], sides: [[UInt8]], source: String, code: CambiumError.Code, parts: Parts?,
        standing: @escaping (_ bases: Values, _ sides: Values) -> [Int],
        choose: @escaping ([Int]) -> Int?
    ) throws {
        let all = try (bases + sides).map { text in
            let read = try SpelledJSON(parsing: text, source: source, code: code)
            guard read.isObject else { throw CambiumError(code, "\(source) is no JSON object") }
            return read
        }
        (texts, self.standing, self.choose, self.parts) = (sides, standing, choose, parts)
        order = sides.indices.sorted { sides[$0].lexicographicallyPrecedes(sides[$1]) }
        let own = Array(all.suffix(sides.count))
        let (piece, _) = merge(Array(all.prefix(bases.count)), own, [])
        guard let frame = order.first else { return }
        let side =
            switch piece {
            case .absent: frame
            case .taken(let side, _), .object(let side, _, _): side
            }
        bytes = Array(sides[side][..<own[side].range.lowerBound])
        write(piece)
        bytes += sides[side][own[side].range.upperBound...]
    }

    // MARK: What counts

    private mutating func merge(
        _ bases: [SpelledJSON?], _ sides: [SpelledJSON?], _ path: [String]
    ) -> (Piece, SpelledJSON.Value?) {
        let standing = standing(bases.map { $0?.value }, sides.map { $0?.value })
        guard let first = standing.first else { return (.absent, nil) }
        if standing.allSatisfy({ sides[$0]?.value == sides[first]?.value }) {
            return taken(sides[first]?.value, sides)
        }
        if let frame = frame(bases, sides, path) { return members(bases, sides, path, frame) }
        let isNew = bases.allSatisfy { $0 == nil }
        if bases.allSatisfy({ $0?.isObject ?? true }),
            sides.allSatisfy({ $0?.isObject ?? isNew }), standing.allSatisfy({ sides[$0] != nil })
        {
            return members(bases, sides, path, [])
        }
        let name = path.joined(separator: ".")
        guard let side = choose(standing) else {
            contradictions.append(name)
            return taken(sides[first]?.value, sides)
        }
        chosen.append(name)
        return taken(sides[side]?.value, sides)
    }

    /// A value as the first of the sides in order spells it.
    private func taken(
        _ value: SpelledJSON.Value?, _ sides: [SpelledJSON?]
    ) -> (Piece, SpelledJSON.Value?) {
        guard let value, let side = order.first(where: { sides[$0]?.value == value }),
            let content = sides[side]
        else { return (.absent, nil) }
        return (.taken(side, content), value)
    }

    /// The members that are no parts, when an object at the path lists parts; nil when none does.
    private func frame(
        _ bases: [SpelledJSON?], _ sides: [SpelledJSON?], _ path: [String]
    ) -> [String]? {
        guard let parts, path == [parts.field] else { return nil }
        let all = (bases + sides).compactMap { $0 }
        guard let first = all.first, first[parts.mark.key]?.value == .string(parts.mark.value),
            all.allSatisfy({ object in
                object.isObject
                    && parts.frame.allSatisfy { object[$0]?.value == first[$0]?.value }
            })
        else { return nil }
        return parts.frame
    }

    private mutating func members(
        _ bases: [SpelledJSON?], _ sides: [SpelledJSON?], _ path: [String], _ frame: [String]
    ) -> (Piece, SpelledJSON.Value?) {
        guard let own = order.first(where: { sides[$0] != nil }), let braces = sides[own] else {
            return (.absent, nil)
        }
        var pieces: [(side: Int, member: SpelledJSON.Member, piece: Piece)] = []
        var values: [String: SpelledJSON.Value] = [:]
        var known: Set<String> = []
        for side in order {
            for member in sides[side]?.members ?? [] where known.insert(member.key).inserted {
                let key = member.key
                let (piece, value) =
                    frame.contains(key)
                    ? taken(member.content.value, sides.map { $0?[key] })
                    : merge(bases.map { $0?[key] }, sides.map { $0?[key] }, path + [key])
                guard let value else { continue }
                values[key] = value
                pieces.append((side, member, piece))
            }
        }
        if !frame.isEmpty, values.keys.allSatisfy(frame.contains) { return (.absent, nil) }
        // What one side has already stays as it is written there.
        if let side = order.first(where: { sides[$0]?.value == .object(values) }) {
            return taken(sides[side]?.value, sides)
        }
        return (.object(own, braces, pieces), .object(values))
    }

    // MARK: Writing

    private mutating func write(_ piece: Piece) {
        switch piece {
        case .absent: return
        case .taken(let side, let content): bytes += texts[side][content.range]
        case .object(let own, let braces, let members):
            let comma = UInt8(ascii: ",")
            bytes.append(UInt8(ascii: "{"))
            for (index, (side, member, piece)) in members.enumerated() {
                let lead = texts[side][member.start..<member.content.range.lowerBound]
                let start = lead.prefix { $0 != UInt8(ascii: "\"") }.firstIndex(of: comma)
                if index > 0 { bytes.append(comma) }
                bytes += start.map { lead[($0 + 1)...] } ?? lead
                write(piece)
            }
            let end = braces.members.last?.content.range.upperBound ?? braces.range.lowerBound + 1
            bytes += texts[own][end..<braces.range.upperBound]
        }
    }
}
