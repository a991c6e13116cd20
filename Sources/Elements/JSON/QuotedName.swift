/// A name from a file as it may be shown: escaped, quoted and at most 120 characters long.
package func quoted(_ name: String) -> String {
    var text: [UInt8] = []
    appendJSON(name.count > 120 ? "\(name.prefix(119))…" : name, to: &text)
    return String(decoding: text, as: UTF8.self)
}
