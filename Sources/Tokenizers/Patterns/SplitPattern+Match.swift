internal import Elements

extension SplitPattern {
    /// Steps that one text may take beside some for each of its bytes; the patterns in use take a few
    /// for each character, and a hostile one gets no further.
    private static let patience = 100_000
    private static let patiencePerByte = 1_000

    /// The matches in a text, from its start on, none of them empty.
    ///
    /// - Parameter text: UTF-8.
    /// - Throws: `.tooHard`.
    func matches(in text: ArraySlice<UInt8>) throws -> [Range<Int>] {
        var search = Search(
            pattern: self, text: text, left: Self.patience + text.count * Self.patiencePerByte)
        var found: [Range<Int>] = []
        var at = text.startIndex
        while at < text.endIndex {
            if let end = search.match(from: 0, at: at), end > at {
                found.append(at..<end)
                at = end
            } else {
                at += UTF8Text.scalar(text, at).length
            }
            guard search.left > 0 else {
                throw CambiumError(
                    .tooHard,
                    "the split pattern takes too many steps on a text of \(text.count) bytes")
            }
        }
        return found
    }

    private struct Search {
        /// Where to go on when a step fails: with fewer characters down to `lowest`, or once.
        struct Choice {
            let step: Int
            var position: Int
            let lowest: Int
        }

        let pattern: SplitPattern
        let text: ArraySlice<UInt8>
        /// Steps that may still be taken.
        var left: Int
        private var choices: [Choice] = []

        init(pattern: SplitPattern, text: ArraySlice<UInt8>, left: Int) {
            self.pattern = pattern
            self.text = text
            self.left = left
        }

        /// The end of the match that starts at a position, or nil.
        mutating func match(from start: Int, at position: Int) -> Int? {
            let floor = choices.count
            defer { choices.removeLast(choices.count - floor) }
            var (step, position) = (start, position)
            while left > 0 {
                left -= 1
                var hasFailed = false
                switch pattern.steps[step] {
                case .take(let number, let least, let most, let isPossessive):
                    if let end = take(number, least, most, isPossessive, position, step + 1) {
                        position = end
                        step += 1
                    } else {
                        hasFailed = true
                    }
                case .either(let first, let second):
                    choices.append(Choice(step: second, position: position, lowest: position))
                    step = first
                case .jump(let target): step = target
                case .look(let isNegated, let end):
                    if (match(from: step + 1, at: position) == nil) == isNegated {
                        step = end
                    } else {
                        hasFailed = true
                    }
                case .end:
                    if position == text.endIndex { step += 1 } else { hasFailed = true }
                case .done: return position
                }
                if hasFailed {
                    guard choices.count > floor else { return nil }
                    (step, position) = retreat()
                }
            }
            return nil
        }

        /// Takes characters of a class.
        ///
        /// - Returns: Where that ends, or nil when there are too few.
        @inline(__always)
        private mutating func take(
            _ number: Int, _ least: Int, _ most: Int, _ isPossessive: Bool, _ position: Int,
            _ next: Int
        ) -> Int? {
            var (at, taken, lowest) = (position, 0, position)
            while taken < most, at < text.endIndex {
                let (scalar, length) = UTF8Text.scalar(text, at)
                guard pattern.classes[number].contains(scalar) else { break }
                at = min(at + length, text.endIndex)
                taken += 1
                if taken == least { lowest = at }
            }
            left -= taken
            if taken < least { return nil }
            if !isPossessive && at > lowest {
                choices.append(Choice(step: next, position: at, lowest: lowest))
            }
            return at
        }

        /// The last choice that is left: one character less, or the other way.
        private mutating func retreat() -> (step: Int, position: Int) {
            let last = choices.count - 1
            let choice = choices[last]
            guard choice.position > choice.lowest else {
                choices.removeLast()
                return (choice.step, choice.position)
            }
            var position = choice.position - 1
            while position > choice.lowest, text[position] & 0xC0 == 0x80 { position -= 1 }
            if position == choice.lowest {
                choices.removeLast()
            } else {
                choices[last].position = position
            }
            return (choice.step, position)
        }
    }
}
