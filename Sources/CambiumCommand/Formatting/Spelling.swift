/// Finds what a user meant.
enum Spelling {
    /// The known word that is one mistake away, or two behind the same first letter; nil when there
    /// is none.
    static func nearest(to word: String, in known: [String]) -> String? {
        let ranked = known.map { ($0, distance(word, $0)) }.filter { name, distance in
            distance < name.count && (distance == 1 || distance == 2 && name.first == word.first)
        }
        return ranked.min { $0.1 < $1.1 }?.0
    }

    /// Insertions, removals and replacements that make one word the other (Levenshtein).
    static func distance(_ first: String, _ second: String) -> Int {
        let letters = Array(second)
        var row = Array(0...letters.count)
        for (index, letter) in first.enumerated() {
            var diagonal = row[0]
            row[0] = index + 1
            for column in letters.indices {
                let replaced = diagonal + (letter == letters[column] ? 0 : 1)
                diagonal = row[column + 1]
                row[column + 1] = min(replaced, row[column + 1] + 1, row[column] + 1)
            }
        }
        return row[letters.count]
    }
}
