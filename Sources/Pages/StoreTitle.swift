/// What pages call a store: its last folder.
///
/// - Parameter directory: What a relative path is from.
package func storeTitle(of path: String, in directory: String) -> String {
    var folders: [Substring] = []
    for part in (path.hasPrefix("/") ? path : "\(directory)/\(path)").split(separator: "/") {
        switch part {
        case ".": continue
        case "..": _ = folders.popLast()
        default: folders.append(part)
        }
    }
    return folders.last.map(String.init) ?? "store"
}
