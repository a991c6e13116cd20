internal import Elements

/// An element of XML: its own text, and the elements in it.
struct XMLElement {
    let name: String
    var text = ""
    var children: [XMLElement] = []

    /// The text of the first child of a name; nil when there is none.
    func text(of name: String) -> String? { children.first { $0.name == name }?.text }
}

/// A strict reader of the XML that S3 answers with: elements and text.
///
/// Own code because what comes may be hostile, and because Foundation's parser would bring libxml2 into every program.
/// Refused: anything that declares (`<!`), entities beyond the five that XML has, and numbers of characters; depth and the
/// number of elements are bounded, the length by who fetched it. Attributes are passed over, and so are prefixes of
/// names, comments and the first line's `<?xml … ?>`.
struct XMLReader {
    private let bytes: [UInt8]
    private var position = 0
    private var elements = 0

    private static let deepest = 8
    private static let most = 20_000

    /// Reads a whole document.
    ///
    /// - Throws: `network`.
    static func document(_ bytes: [UInt8]) throws -> XMLElement {
        var reader = XMLReader(bytes: bytes)
        try reader.skipMisc()
        let root = try reader.element(depth: 1)
        try reader.skipMisc()
        guard reader.position == bytes.count else { throw reader.fault("text after the end") }
        return root
    }

    private init(bytes: [UInt8]) { self.bytes = bytes }

    private func fault(_ what: String) -> CambiumError {
        CambiumError(
            .network,
            "the server's answer is no XML that S3 would send: \(what) at byte \(position)")
    }

    private var byte: UInt8? { position < bytes.count ? bytes[position] : nil }

    private func starts(with text: String) -> Bool {
        bytes[position...].starts(with: text.utf8)
    }

    /// Passes over white space, comments and processing instructions.
    private mutating func skipMisc() throws {
        while let byte {
            if isSpace(byte) {
                position += 1
            } else if starts(with: "<?") {
                try skip(behind: "?>")
            } else if starts(with: "<!--") {
                try skip(behind: "-->")
            } else {
                return
            }
        }
    }

    private mutating func skip(behind end: String) throws {
        while position < bytes.count {
            if starts(with: end) {
                position += end.utf8.count
                return
            }
            position += 1
        }
        throw fault("no end of what is passed over")
    }

    private func isSpace(_ byte: UInt8) -> Bool { [9, 10, 13, 32].contains(byte) }

    private mutating func name() throws -> String {
        let start = position
        while let byte, !isSpace(byte), byte != UInt8(ascii: ">"), byte != UInt8(ascii: "/"),
            byte != UInt8(ascii: "<"), byte != UInt8(ascii: "=")
        {
            position += 1
        }
        guard position > start, position - start <= 256 else { throw fault("no name") }
        return String(decoding: bytes[start..<position], as: UTF8.self)
    }

    /// An element, from its `<` on.
    private mutating func element(depth: Int) throws -> XMLElement {
        elements += 1
        guard starts(with: "<"), !starts(with: "<!"), !starts(with: "<?") else {
            throw fault("no element")
        }
        guard depth <= Self.deepest, elements <= Self.most else { throw fault("too many elements") }
        position += 1
        let whole = try name()
        var result = XMLElement(name: String(whole.split(separator: ":").last ?? ""))
        try skipAttributes()
        if starts(with: "/>") {
            position += 2
            return result
        }
        position += 1
        var text: [UInt8] = []
        while true {
            guard let byte else { throw fault("no end of \(quoted(whole))") }
            if byte == UInt8(ascii: "&") {
                text.append(try entity())
            } else if byte != UInt8(ascii: "<") {
                text.append(byte)
                position += 1
            } else if starts(with: "</") {
                try end(of: whole)
                result.text = String(decoding: text, as: UTF8.self)
                return result
            } else if starts(with: "<!--") {
                try skip(behind: "-->")
            } else {
                result.children.append(try element(depth: depth + 1))
            }
        }
    }

    private mutating func end(of whole: String) throws {
        position += 2
        guard try name() == whole else { throw fault("another end than of \(quoted(whole))") }
        while let byte, isSpace(byte) { position += 1 }
        guard byte == UInt8(ascii: ">") else { throw fault("no end of a tag") }
        position += 1
    }

    /// Passes over attributes, up to the `>` or `/>`.
    private mutating func skipAttributes() throws {
        while let byte {
            if byte == UInt8(ascii: ">") || starts(with: "/>") { return }
            if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") {
                position += 1
                while let inner = self.byte, inner != byte { position += 1 }
            }
            guard byte != UInt8(ascii: "<") else { break }
            position += 1
        }
        throw fault("no end of a tag")
    }

    private mutating func entity() throws -> UInt8 {
        for (spelling, byte) in Self.known where bytes[position...].starts(with: spelling.utf8) {
            position += spelling.utf8.count
            return byte
        }
        throw fault("an entity that is not one of the five")
    }

    private static let known: [(String, UInt8)] = [
        ("&amp;", 38), ("&lt;", 60), ("&gt;", 62), ("&quot;", 34), ("&apos;", 39),
        // What ETags are put between by servers in Go.
        ("&#34;", 34), ("&#39;", 39), ("&#xA;", 10), ("&#xD;", 13), ("&#x9;", 9),
    ]
}
