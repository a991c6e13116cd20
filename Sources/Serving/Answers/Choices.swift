internal import Cambium

/// What came of the texts of one request so far.
struct Choices {
    /// One text.
    struct Choice {
        var text = ""
        var chances: [TokenChance] = []
        var promptChances: [TokenChance]?
        var tokens = 0
        var end: GenerationEnd?
        /// The stop text that came.
        var stop: [UInt8]?
        fileprivate var pieces = TextPieces()
    }

    /// What an event added to one of them.
    struct News {
        let index: Int
        let text: String
        let chances: [TokenChance]
        let end: GenerationEnd?
    }

    private(set) var all: [Choice]

    init(count: Int) { all = [Choice](repeating: Choice(), count: count) }

    /// New tokens of all.
    var tokens: Int { all.reduce(0) { $0 + $1.tokens } }

    /// Takes an event in.
    ///
    /// - Throws: ``APIError`` when the text cannot go on.
    mutating func take(_ index: Int, _ event: Work.Event) throws -> News {
        switch event {
        case .failed(let error): throw error
        case .step(let step):
            var text = all[index].pieces.push(step.bytes)
            if step.end != nil { text += all[index].pieces.finish() }
            all[index].text += text
            all[index].chances += step.chances
            all[index].tokens += step.tokens.count
            all[index].end = step.end
            all[index].stop = step.stop
            all[index].promptChances = step.promptChances
            return News(index: index, text: text, chances: step.chances, end: step.end)
        }
    }

    /// Waits for all that a request asked for.
    ///
    /// - Throws: ``APIError`` when a text cannot go on, or the client has gone.
    static func whole(_ work: Work) async throws -> Choices {
        var choices = Choices(count: work.requests.count)
        for await (index, event) in work.events { _ = try choices.take(index, event) }
        try choices.checkEnds()
        return choices
    }

    /// - Throws: ``APIError`` when a text has not ended, and nothing more comes.
    func checkEnds() throws {
        guard all.allSatisfy({ $0.end != nil }) else {
            throw APIError(.unavailable, "the request was given up", code: "cancelled")
        }
    }
}
