/// What waits, by who asked for it: each client's turn comes once before any client's comes twice.
struct FairQueue<Element> {
    private var waiting: [String: ArraySlice<Element>] = [:]
    /// Clients with something that waits, whose turn is next first.
    private var turns: ArraySlice<String> = []
    private(set) var count = 0

    mutating func add(_ element: Element, of client: String) {
        if waiting[client] == nil { turns.append(client) }
        waiting[client, default: []].append(element)
        count += 1
    }

    /// Takes the oldest of the client whose turn it is.
    mutating func next() -> Element? {
        guard let client = turns.popFirst(), let element = waiting[client]?.popFirst() else {
            return nil
        }
        if waiting[client]?.isEmpty ?? true {
            waiting[client] = nil
        } else {
            turns.append(client)
        }
        count -= 1
        return element
    }

    /// Takes everything out that a test finds.
    ///
    /// - Parameter isGone: Asked once of each, since what it says may change: a client may go at any time.
    mutating func remove(where isGone: (Element) -> Bool) -> [Element] {
        var removed: [Element] = []
        for client in turns {
            var left: ArraySlice<Element> = []
            for element in waiting[client] ?? [] {
                if isGone(element) { removed.append(element) } else { left.append(element) }
            }
            waiting[client] = left.isEmpty ? nil : left
        }
        turns.removeAll { waiting[$0] == nil }
        count -= removed.count
        return removed
    }
}
