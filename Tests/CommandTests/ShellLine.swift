/// Lines as they are typed, taken apart.
enum ShellLine {
    /// The commands of a line as a shell would split it, without comments and redirections.
    static func commands(in line: String) -> [[String]] {
        var lines: [[String]] = [[]]
        var word: String?
        var quote: Character?
        var skipsNext = false
        func end() {
            guard let ended = word else { return }
            word = nil
            if skipsNext {
                skipsNext = false
            } else if ["&&", "|", "&"].contains(ended) {
                lines.append([])
            } else if ["<", ">", ">>"].contains(ended) {
                skipsNext = true
            } else {
                lines[lines.count - 1].append(ended)
            }
        }
        for letter in line {
            if let open = quote {
                if letter == open { quote = nil } else { word = (word ?? "") + String(letter) }
            } else if letter == "'" || letter == "\"" {
                quote = letter
                word = word ?? ""
            } else if letter == " " {
                end()
            } else if letter == "#", word == nil {
                break
            } else {
                word = (word ?? "") + String(letter)
            }
        }
        end()
        return lines
    }
}
