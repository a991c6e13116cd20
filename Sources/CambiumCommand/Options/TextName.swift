internal import FoundationEssentials

/// Short names for text files: the stem, or the folder's name where the stem says only which part
/// of a data set it is.
enum TextName {
    private static let parts: Set<String> = ["train", "valid", "validation", "test", "dev", "-"]

    /// A text's file: of a folder, as `train --data` takes it, the text that it keeps for tests.
    static func file(_ path: String) -> String {
        let inside = path + (path.hasSuffix("/") ? "test.txt" : "/test.txt")
        return FileManager.default.fileExists(atPath: inside) ? inside : path
    }

    /// The name of one file.
    static func of(_ path: String) -> String {
        let components = path.split(separator: "/")
        guard let file = components.last else { return path }
        let stem = file.lastIndex(of: ".").map { $0 > file.startIndex ? file[..<$0] : file } ?? file
        if parts.contains(String(stem)), components.count > 1 {
            return String(components[components.count - 2])
        }
        return String(stem)
    }

    /// The names of several files; where two would be the same, their whole paths.
    static func unique(_ paths: [String]) -> [String] {
        let names = paths.map(of)
        let counts = Dictionary(names.map { ($0, 1) }, uniquingKeysWith: +)
        return zip(paths, names).map { path, name in counts[name] == 1 ? name : path }
    }
}
