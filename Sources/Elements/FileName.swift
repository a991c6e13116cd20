/// Why `name` may not name a file in a checkpoint's folder, or nil when it may.
///
/// A name comes from somebody else's checkpoint or store: it must stay in the folder (no path, no
/// `..`), be one that every file system takes, and show as what it is.
package func reasonToRefuse(fileName name: String) -> String? {
    if let reason = reasonToRefuse(name: name) { return reason }
    if name.utf8.contains(where: { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "\\") }) {
        return "is a path, not a name"
    }
    if name == "." || name == ".." { return "names a folder" }
    if name.utf8.count > 255 { return "has \(name.utf8.count) bytes, more than 255" }
    return nil
}

/// Why `name` may not name a tensor or a file, or nil when it may.
///
/// The formats leave names free; an empty one, or one with a NUL, an escape sequence or a line break
/// in it, would be cut, shown wrongly or taken for several further on.
package func reasonToRefuse(name: String) -> String? {
    if name.isEmpty { return "is empty" }
    for byte in name.utf8 where byte < 0x20 || byte == 0x7F {
        return "contains the control character 0x\(String(byte, radix: 16))"
    }
    return nil
}
