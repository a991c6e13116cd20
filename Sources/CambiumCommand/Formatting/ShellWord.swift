/// Words of a command line.
enum ShellWord {
    private static let plain = Set("-_./:=,+@%^~".utf8)

    /// The word as a POSIX shell reads it back: in single quotes, unless it is plain.
    static func quoted(_ word: String) -> String {
        let isPlain = word.utf8.allSatisfy { byte in
            plain.contains(byte) || (48...57).contains(byte) || (65...90).contains(byte)
                || (97...122).contains(byte)
        }
        guard word.isEmpty || !isPlain || word.hasPrefix("~") else { return word }
        return "'"
            + word.split(separator: "'", omittingEmptySubsequences: false)
            .joined(separator: "'\\''") + "'"
    }
}
