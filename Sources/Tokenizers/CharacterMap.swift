internal import Elements
internal import FoundationEssentials

/// SentencePiece's table of what characters become before a text is divided: a double array (Aoe 1989, as darts-clone writes
/// it) from UTF-8 to places in a list of texts.
///
/// It follows the `Precompiled` normalizer of Hugging Face's tokenizers, its oddities included: of a grapheme below 6 bytes
/// the shortest entry that it begins with stands for all of it, else each character is looked up alone.
struct CharacterMap: Sendable {
    private let units: [UInt32]
    /// Texts that end with 0.
    private let texts: [UInt8]

    /// Longer graphemes are taken character by character.
    private static let longestGrapheme = 5

    /// Reads `precompiled_charsmap`: the length of the double array, it, and the texts, in base64.
    init(_ text: String) throws {
        guard let data = Data(base64Encoded: text) else {
            throw CambiumError.badTokenizer("precompiled_charsmap is not base64")
        }
        let bytes = [UInt8](data)
        func word(_ at: Int) -> UInt32 {
            (0..<4).reduce(0) { $0 | UInt32(bytes[at + $1]) << (8 * UInt32($1)) }
        }
        guard bytes.count >= 4, case let size = Int(word(0)), size % 4 == 0, size > 0,
            size <= bytes.count - 4
        else {
            throw CambiumError.badTokenizer(
                "precompiled_charsmap has \(bytes.count) bytes, which are not the length of an array, the array and texts"
            )
        }
        units = stride(from: 4, to: 4 + size, by: 4).map(word)
        texts = Array(bytes[(4 + size)...])
        guard String(validating: texts, as: UTF8.self) != nil else {
            throw CambiumError.badTokenizer("the texts of precompiled_charsmap are not UTF-8")
        }
    }

    func apply(_ text: [UInt8], _ bound: TextBound) throws -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(text.count)
        for grapheme in String(decoding: text, as: UTF8.self) {
            let whole = Array(grapheme.utf8)
            if whole.count <= Self.longestGrapheme, let new = try find(whole[...]) {
                try bound.check(result.count + new.count)
                result += new
                continue
            }
            for scalar in grapheme.unicodeScalars {
                let part = Array(UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
                let new = try find(part[...]) ?? part[...]
                try bound.check(result.count + new.count)
                result += new
            }
        }
        return result
    }

    /// What the shortest entry that some bytes begin with becomes; nil without one.
    private func find(_ key: ArraySlice<UInt8>) throws -> ArraySlice<UInt8>? {
        func unit(_ at: Int) throws -> UInt32 {
            guard units.indices.contains(at) else {
                throw CambiumError.badTokenizer("precompiled_charsmap leads beyond its array")
            }
            return units[at]
        }
        func offset(_ unit: UInt32) -> Int { Int(unit >> 10) << Int((unit & 1 << 9) >> 6) }
        var at = offset(try unit(0))
        for byte in key {
            guard byte != 0 else { return nil }
            at ^= Int(byte)
            let next = try unit(at)
            guard next & (1 << 31 | 0xFF) == UInt32(byte) else { return nil }
            at ^= offset(next)
            guard next >> 8 & 1 == 1 else { continue }
            let start = Int(try unit(at) & (1 << 31 - 1))
            guard start <= texts.count else {
                throw CambiumError.badTokenizer("precompiled_charsmap leads beyond its texts")
            }
            return texts[start...].prefix { $0 != 0 }
        }
        return nil
    }
}
