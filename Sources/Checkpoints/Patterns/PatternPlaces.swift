internal import Elements
internal import Snapshots

/// Which layer and pool the experts of each block of a model are.
///
/// Most models have one list of layers, whose experts are the layers' base pools. Where numbers of layers repeat, as
/// in an encoder and a decoder, or for the layers that predict further tokens (`mtp.layers.0`), the list of the most
/// layers has the base pools, and the others' are named by what their names begin with.
enum PatternPlaces {
    /// A block's name taken apart at the number of its layer.
    struct Place: Hashable {
        /// `model.layers`.
        let prefix: String
        /// Nil for a block outside of layers.
        let layer: Int?
        /// `mlp`.
        let infix: String

        init(_ name: String) {
            let parts = name.split(separator: ".", omittingEmptySubsequences: false)
            let numbers = parts.indices.filter {
                ordinal(parts[$0]).map { $0 <= Int(UInt32.max) } ?? false
            }
            let isNamed = numbers.first { number in
                number > 0 && Self.isList(parts[number - 1])
            }
            guard let number = isNamed ?? numbers.first else {
                (prefix, layer, infix) = ("", nil, name)
                return
            }
            prefix = parts[..<number].joined(separator: ".")
            layer = ordinal(parts[number])
            infix = parts[(number + 1)...].joined(separator: ".")
        }

        /// The layer's number in the tree.
        var number: Int { layer ?? 0 }

        /// Whether a list of layers is called so: `layers`, `encoder_layers`, `block`, `h`.
        private static func isList(_ word: Substring) -> Bool {
            word == "h" || ["layers", "layer", "blocks", "block"].contains { word.hasSuffix($0) }
        }

        /// The block's name for any layer, with a dot behind it: `model.layers.{n}.mlp.`.
        var pattern: String {
            (layer == nil ? [infix] : [prefix, "{n}", infix]).filter { !$0.isEmpty }
                .map { $0 + "." }.joined()
        }
    }

    /// The pool of each place's experts; nil where no name is left for it.
    ///
    /// - Parameter places: Of different blocks.
    static func pools(_ places: [Place]) -> [String?] {
        var (layers, stacks): ([String: Int], [[String]: Int]) = ([:], [:])
        for place in places {
            layers[place.prefix, default: 0] += 1
            stacks[[place.prefix, place.infix], default: 0] += 1
        }
        func precedes(_ left: (String, Int), _ right: (String, Int)) -> Bool {
            left.1 == right.1 ? isBefore(left.0, right.0) : left.1 > right.1
        }
        let base = layers.min { precedes(($0.key, $0.value), ($1.key, $1.value)) }?.key ?? ""
        // The block that has a layer's base pool: of the model's own list of layers the one of the most layers.
        var first: [Int: Place] = [:]
        for place in places where place.prefix == base {
            func rank(_ place: Place) -> (String, Int) {
                (place.infix, stacks[[place.prefix, place.infix]] ?? 0)
            }
            if let other = first[place.number], precedes(rank(other), rank(place)) { continue }
            first[place.number] = place
        }
        var claims: [Int: [String: Int]] = [:]
        for place in places where first[place.number] != place {
            for name in Set(names(place, base)) {
                claims[place.number, default: [:]][name, default: 0] += 1
            }
        }
        return places.map { place in
            guard first[place.number] != place else { return ExpertPool.base }
            return names(place, base).first { claims[place.number]?[$0] == 1 && isName($0) }
        }
    }

    /// What a pool beside the base pool may be called, the best first.
    private static func names(_ place: Place, _ base: String) -> [String] {
        let full = [place.prefix, place.infix].filter { !$0.isEmpty }.joined(separator: ".")
        return [place.prefix == base ? place.infix : differing(place.prefix, base), full]
    }

    /// What a prefix begins with before it ends as the base's does: `mtp` of `mtp.layers`.
    private static func differing(_ prefix: String, _ base: String) -> String {
        var parts = prefix.split(separator: ".")[...]
        var ending = base.split(separator: ".")[...]
        while let last = parts.last, last == ending.last {
            parts.removeLast()
            ending.removeLast()
        }
        return parts.isEmpty ? prefix : parts.joined(separator: ".")
    }

    /// Whether a pool can be named so: in entities it stands between slashes and may hold a wildcard.
    private static func isName(_ name: String) -> Bool {
        (1...100).contains(name.utf8.count) && name != ExpertPool.base
            && name.utf8.allSatisfy {
                $0.isLetterOrDigit || [".", "_", "-"].contains(Character(Unicode.Scalar($0)))
            }
    }
}

extension UInt8 {
    fileprivate var isLetterOrDigit: Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self)
            || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(self | 0x20)
    }
}
