/// Words that the command line took before it used those of docs/glossary.md: they go on working, and no help
/// shows them.
enum OldWords {
    private static let options = ["--cohort": "--adapter"]
    /// Options whose value may begin with a dash: it is text, never an option.
    private static let texts: Set = ["-m", "--message", "--prompt", "--stop"]

    /// The arguments with options in today's words.
    static func renewed(_ arguments: [String]) -> [String] {
        let end = arguments.firstIndex(of: "--") ?? arguments.endIndex
        return arguments.indices.map { index in
            let argument = arguments[index]
            guard index < end, index == 0 || !texts.contains(arguments[index - 1]) else {
                return argument
            }
            let name = argument.prefix { $0 != "=" }
            guard let new = options[String(name)] else { return argument }
            return new + argument.dropFirst(name.count)
        }
    }

    /// The value of an option in today's words.
    static func renewed(value: String) -> String {
        ["moments": "gram", "cohort": "adapter"][value] ?? value
    }
}
