internal import Elements

/// Numbers of layers, experts or rows as a person names them: `7`, `3-9`, `1,4-6`, or `*` for all.
package enum NumberSet: Sendable, Hashable {
    case all
    /// Ascending, neither overlapping nor adjacent.
    case some([ClosedRange<Int>])

    /// Nil for a text that is not made of numbers.
    ///
    /// - Throws: `usage` for numbers that cannot be: too large, or a range that runs backwards.
    package init?(_ text: Substring) throws {
        if text == "*" {
            self = .all
            return
        }
        let digits = "0123456789-,"
        guard let first = text.utf8.first, (48...57).contains(first),
            text.allSatisfy({ digits.contains($0) })
        else { return nil }
        var ranges: [ClosedRange<Int>] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let ends = part.split(separator: "-", omittingEmptySubsequences: false)
            guard ends.count <= 2, let low = Self.number(ends[0]),
                let high = Self.number(ends[ends.count - 1]), low <= high
            else {
                throw CambiumError(
                    .usage,
                    "'\(text)' are no numbers: write one as 7, a range as 3-9, several as 1,4-6, or "
                        + "* for all")
            }
            ranges.append(low...high)
        }
        self = .some(Self.united(ranges))
    }

    private static func number(_ text: Substring) -> Int? {
        UInt32(text).map { Int($0) }
    }

    private static func united(_ ranges: [ClosedRange<Int>]) -> [ClosedRange<Int>] {
        var result: [ClosedRange<Int>] = []
        for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if let last = result.last, range.lowerBound <= last.upperBound + 1 {
                result[result.count - 1] =
                    last.lowerBound...max(last.upperBound, range.upperBound)
            } else {
                result.append(range)
            }
        }
        return result
    }

    package func contains(_ number: Int) -> Bool {
        switch self {
        case .all: true
        case .some(let ranges): ranges.contains { $0.contains(number) }
        }
    }

    package func union(_ other: NumberSet) -> NumberSet {
        guard case .some(let left) = self, case .some(let right) = other else { return .all }
        return .some(Self.united(left + right))
    }

    /// The number, when it is one alone.
    package var single: Int? {
        guard case .some(let ranges) = self, ranges.count == 1, ranges[0].count == 1 else {
            return nil
        }
        return ranges[0].lowerBound
    }

    /// Those below a count, ascending.
    package func numbers(below count: Int) -> [Int] {
        switch self {
        case .all: Array(0..<max(0, count))
        case .some(let ranges):
            ranges.flatMap { range in
                range.lowerBound < count
                    ? Array(range.lowerBound...min(range.upperBound, count - 1)) : []
            }
        }
    }

    /// The greatest number that is named; nil of all.
    package var greatest: Int? {
        guard case .some(let ranges) = self else { return nil }
        return ranges.last?.upperBound
    }
}

extension NumberSet: CustomStringConvertible {
    package var description: String {
        switch self {
        case .all: "*"
        case .some(let ranges):
            ranges.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)" }
                .joined(separator: ",")
        }
    }
}

/// A name in which `*` stands for any bytes, or none.
package struct Wildcard: Sendable, Hashable {
    package let text: String

    package init(_ text: Substring) { self.text = String(text) }

    /// Whether it means one name alone.
    package var isExact: Bool { !text.utf8.contains(UInt8(ascii: "*")) }

    package func matches(_ name: String) -> Bool {
        guard !isExact else { return text.utf8.elementsEqual(name.utf8) }
        let pieces = text.utf8.split(
            separator: UInt8(ascii: "*"), omittingEmptySubsequences: false
        ).map(Array.init)
        let bytes = Array(name.utf8)
        guard let head = pieces.first, let tail = pieces.last,
            bytes.count >= head.count + tail.count, bytes.starts(with: head),
            bytes.suffix(tail.count).elementsEqual(tail)
        else { return false }
        // The first place of each piece leaves the most for those that follow.
        var place = head.count
        let end = bytes.count - tail.count
        for piece in pieces.dropFirst().dropLast() where !piece.isEmpty {
            guard
                let found = (place...max(place, end)).first(where: {
                    $0 + piece.count <= end && bytes[$0..<($0 + piece.count)].elementsEqual(piece)
                })
            else { return false }
            place = found + piece.count
        }
        return true
    }
}
