internal import Elements

extension Tree {
    /// What is wrong with the names of the files that a snapshot is written as; empty when nothing is.
    ///
    /// A snapshot may come from somebody else's store, so its names are checked as those inside a
    /// checkpoint are: a file must stay in the folder, and none may take another's place.
    package func fileNameProblems(_ layout: Layout?) -> [String] {
        Self.fileNameProblems(files: files.keys.sorted(by: isBefore), layout)
    }

    static func fileNameProblems(files: [String], _ layout: Layout?) -> [String] {
        var problems: [String] = []
        var seen: Set<String> = []
        let listed = layout?.files.map(\.name) ?? []
        for name in listed + files {
            if let reason = reasonToRefuse(fileName: name) {
                problems.append("the file name \(VisibleName.of(name)) \(reason)")
            }
            // What differs in case alone is one file on some file systems.
            if !seen.insert(name.lowercased()).inserted {
                problems.append("two files are named \(VisibleName.of(name))")
            }
        }
        for name in layout?.files.flatMap(\.tensors) ?? [] {
            if let reason = reasonToRefuse(name: name) {
                problems.append("the tensor name \(VisibleName.of(name)) \(reason)")
            }
        }
        return problems
    }
}

/// A name as a message quotes it: short, and without control characters.
enum VisibleName {
    static func of(_ name: String) -> String {
        let shown = name.unicodeScalars.prefix(80).map { scalar -> String in
            scalar.properties.generalCategory == .control
                || scalar.properties.generalCategory == .format
                ? "\\u{" + String(scalar.value, radix: 16) + "}" : String(scalar)
        }
        return "'" + shown.joined() + (name.unicodeScalars.count > 80 ? "…'" : "'")
    }
}
