internal import Architectures

/// A tensor's name as the patterns of experts see it, in one pass over its bytes.
///
/// A *container* is a component that ends with `experts` and is not shared, or begins with `switch_`. The number of an
/// expert follows a container (`experts.17.w1`), or one word after it (`experts.gate_up_projs.17.weight`,
/// `experts.linear_fc1.weight17`), or the word `expert` itself (`expert_17.wi`). The last such place counts.
struct ExpertTensorName {
    /// Where the expert's number is.
    struct Number {
        let value: Int
        let digits: Range<Int>
        /// Where the name of the block ends that holds experts and router.
        let block: Int
        /// Where the part's name begins, which the number may interrupt.
        let part: Int
    }

    private(set) var number: Number?
    /// Whether stacked experts may be in it.
    private(set) var hasContainer = false
    /// Where the block's name ends when what follows names a router.
    private(set) var router: Int?

    /// - Returns: Nil for a name that no template can stand for, with a brace, an empty component or other letters than ASCII's.
    init?(_ name: String) {
        let bytes = name.utf8.span
        // The containers that follow each other last, and how many components ago that was.
        var (run, container, since) = (-1, 0, Int.max / 2)
        var followsWord = false
        var (start, before, beforeThat) = (0, -1, -1)
        for end in 0...bytes.count {
            if end < bytes.count {
                let byte = bytes[end]
                guard byte < 0x80, byte != UInt8(ascii: "{") else { return nil }
                guard byte == UInt8(ascii: ".") else { continue }
            }
            // Two names that differ in empty components would be one layer and pool.
            guard start < end else { return nil }
            let component = bytes.extracting(start..<end)
            if Self.isContainer(component) {
                if since != 0 { run = start }
                (container, since, hasContainer) = (end + 1, 0, true)
            } else {
                since += 1
                if let first = Self.number(in: component, since, followsWord) {
                    let isInside = since <= 2
                    number = Number(
                        value: Self.value(component, from: first),
                        digits: start + first..<end, block: max(0, (isInside ? run : start) - 1),
                        part: isInside ? container : start)
                    since = .max / 2
                } else if since == 1 {
                    followsWord = Self.isLetter(component)
                }
            }
            if end < bytes.count { (beforeThat, before, start) = (before, start, end + 1) }
        }
        for (from, end) in [(beforeThat, before - 1), (before, start - 1), (start, bytes.count)]
        where from >= 0 && Self.isRouter(bytes.extracting(from..<end)) {
            router = max(0, from - 1)
            break
        }
    }

    /// Where the digits of an expert's number begin in a component.
    private static func number(
        in component: Span<UInt8>, _ since: Int, _ followsWord: Bool
    ) -> Int? {
        let isBehindWord = since == 2 && followsWord
        if since == 1 || isBehindWord, isNumber(component, from: 0) { return 0 }
        if begins(component, expert) {
            let hasScore = component.count > expert.count && component[expert.count] == underscore
            let first = expert.count + (hasScore ? 1 : 0)
            return isNumber(component, from: first) ? first : nil
        }
        guard isBehindWord else { return nil }
        return suffixed.first {
            begins(component, $0) && isNumber(component, from: $0.count)
        }?.count
    }

    private static let expert = Array("expert".utf8)
    private static let experts = Array("experts".utf8)
    private static let shared = Array("shared".utf8)
    private static let switched = Array("switch_".utf8)
    private static let suffixed = ["weight", "bias"].map { Array($0.utf8) }
    private static let routers = ExpertPartNames.routers.map { Array($0.utf8) }
    private static let underscore = UInt8(ascii: "_")
    /// Greater numbers are nobody's.
    private static let mostDigits = 9

    /// Whether digits follow as a program writes them, without a leading zero.
    private static func isNumber(_ component: Span<UInt8>, from first: Int) -> Bool {
        let count = component.count - first
        guard (1...mostDigits).contains(count), count == 1 || component[first] != UInt8(ascii: "0")
        else { return false }
        for index in first..<component.count
        where !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains(component[index]) {
            return false
        }
        return true
    }

    private static func value(_ component: Span<UInt8>, from first: Int) -> Int {
        var value = 0
        for index in first..<component.count {
            value = value * 10 + Int(component[index] - UInt8(ascii: "0"))
        }
        return value
    }

    private static func isLetter(_ component: Span<UInt8>) -> Bool {
        guard component.count > 0 else { return false }
        let first = component[0]
        return (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(first | 0x20)
            || first == underscore
    }

    private static func isContainer(_ component: Span<UInt8>) -> Bool {
        guard component.count >= experts.count else { return false }
        if begins(component, switched) { return true }
        guard equals(component, experts, at: component.count - experts.count) else { return false }
        return !(0...(component.count - shared.count)).contains {
            equals(component, shared, at: $0)
        }
    }

    private static func isRouter(_ component: Span<UInt8>) -> Bool {
        routers.contains { $0.count == component.count && equals(component, $0, at: 0) }
    }

    private static func begins(_ component: Span<UInt8>, _ word: [UInt8]) -> Bool {
        component.count >= word.count && equals(component, word, at: 0)
    }

    private static func equals(_ component: Span<UInt8>, _ word: [UInt8], at start: Int) -> Bool {
        for index in word.indices where component[start + index] != word[index] { return false }
        return true
    }
}
