/// What a template knows of the loop that it is in: the name `loop`.
final class LoopState {
    let items: [Value]
    var index = 0
    private var changing: Value?

    init(_ items: [Value]) { self.items = items }

    func attribute(_ name: String) -> Value? {
        switch name {
        case "index": .integer(index + 1)
        case "index0": .integer(index)
        case "revindex": .integer(items.count - index)
        case "revindex0": .integer(items.count - index - 1)
        case "first": .bool(index == 0)
        case "last": .bool(index == items.count - 1)
        case "length": .integer(items.count)
        case "depth": .integer(1)
        case "depth0": .integer(0)
        case "previtem":
            index > 0 ? items[index - 1] : .undefined(Value.Absence("there is no previous item"))
        case "nextitem":
            index + 1 < items.count
                ? items[index + 1] : .undefined(Value.Absence("there is no next item"))
        case "cycle":
            .function(
                Function(name: "cycle") { [self] interpreter, given in
                    guard !given.values.isEmpty else {
                        throw interpreter.failure("no items for cycling given")
                    }
                    return given.values[index % given.values.count]
                })
        case "changed":
            .function(
                Function(name: "changed") { [self] interpreter, given in
                    let now = Value.tuple(try Value.Items(given.values))
                    defer { changing = now }
                    guard let before = changing else { return .bool(true) }
                    return .bool(try !interpreter.equals(before, now))
                })
        default: nil
        }
    }
}
