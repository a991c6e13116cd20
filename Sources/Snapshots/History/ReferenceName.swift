internal import Elements

/// The rule for names of new branches and tags: what a revision can spell, a terminal can show, and nobody
/// takes for something else.
///
/// Names that are stored already are not held against it: rules grew.
package enum ReferenceName {
    private static let greatestSize = 200
    /// What has a meaning in revisions, places and patterns.
    private static let reserved: Set<Unicode.Scalar> = Set("~^:?*[\\@ ".unicodeScalars)

    /// - Parameter kind: What it would name, for the message.
    /// - Throws: `.badName`, with what of the name is not possible.
    package static func check(_ name: String, _ kind: String) throws {
        guard let reason = objection(to: name) else { return }
        // What cannot be shown is not shown.
        let shown = String(String.UnicodeScalarView(name.unicodeScalars.prefix(80).map(visible)))
        throw CambiumError(.badName, "'\(shown)' cannot name a \(kind): \(reason)")
    }

    /// Whether it could be the beginning of a commit's id.
    static func isHexadecimal(_ name: String) -> Bool {
        (4...64).contains(name.utf8.count)
            && name.utf8.allSatisfy {
                switch $0 {
                case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"),
                    UInt8(ascii: "A")...UInt8(ascii: "F"):
                    true
                default: false
                }
            }
    }

    private static func objection(to name: String) -> String? {
        if name.isEmpty { return "give it at least one character" }
        guard name.utf8.count <= greatestSize else {
            return "it has \(name.utf8.count) bytes; give at most \(greatestSize)"
        }
        for scalar in name.unicodeScalars {
            if reserved.contains(scalar) {
                return scalar == " "
                    ? "it has a space; put '-' or '_' there"
                    : "'\(scalar)' has a meaning of its own in revisions and patterns; leave it out"
            }
            if !isVisible(scalar) {
                return
                    "it has U+\(hexadecimal(scalar)), which is not seen or changes how text is shown; "
                    + "use characters that can be seen"
            }
        }
        if name == "HEAD" { return "HEAD is where the store is; take another name" }
        if name.hasPrefix("-") { return "a name that begins with '-' would be read as an option" }
        if name.contains("..") { return "'..' is what stands between two revisions; leave it out" }
        if name.hasSuffix(".lock") { return "names that end in '.lock' are kept for lock files" }
        for part in name.split(separator: "/", omittingEmptySubsequences: false) {
            if part.isEmpty { return "'/' stands between two parts, neither of which may be empty" }
            if part.hasPrefix(".") { return "no part of a name may begin with '.'" }
            if part.hasSuffix(".") { return "no part of a name may end with '.'" }
        }
        // Words such as `dead` or `facade` may be names: where one is the beginning of an id it is ambiguous.
        if isHexadecimal(name), name.utf8.count >= 7 {
            return
                "7 to 64 hexadecimal digits are the beginning of a commit's id; put another character "
                + "to it, as in 'v-\(name)'"
        }
        return nil
    }

    /// Not controls, formats and other blanks: a name with one of them looks like another name, or makes what
    /// stands behind it look otherwise.
    private static func isVisible(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .spaceSeparator, .surrogate,
            .privateUse, .unassigned:
            false
        // The empty pattern of Braille is a blank by another name.
        default: !scalar.properties.isDefaultIgnorableCodePoint && scalar != "\u{2800}"
        }
    }

    private static func visible(_ scalar: Unicode.Scalar) -> Unicode.Scalar {
        isVisible(scalar) || scalar == " " ? scalar : "\u{FFFD}"
    }

    private static func hexadecimal(_ scalar: Unicode.Scalar) -> String {
        let digits = String(scalar.value, radix: 16, uppercase: true)
        return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
    }
}
