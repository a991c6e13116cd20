/// A part of a template's text.
struct Token {
    enum Kind: Equatable {
        case data([Unicode.Scalar])
        case blockStart, blockEnd
        case variableStart, variableEnd
        case name(String)
        case text([Unicode.Scalar])
        case integer(Int)
        case number(Double)
        /// A sign, or several that belong together.
        case sign(String)
        case end
    }

    let kind: Kind
    let line: Int

    /// What it is, for messages.
    var spelling: String {
        switch kind {
        case .data: "text"
        case .blockStart: "{%"
        case .blockEnd: "%}"
        case .variableStart: "{{"
        case .variableEnd: "}}"
        case .name(let name): "'\(name)'"
        case .text: "a string"
        case .integer(let integer): "\(integer)"
        case .number(let number): "\(number)"
        case .sign(let sign): "'\(sign)'"
        case .end: "the end of the template"
        }
    }
}
