internal import Architectures
internal import Elements

/// Texts that a model, or models of one structure, continue together: they come and go between steps, and each gets the
/// bits that it would get alone.
///
/// Not to be shared between threads.
final class TextBatch {
    /// What runs them; to be replaced between steps alone.
    var pass: AdaptedPass
    private(set) var texts: [Continuation] = []

    /// Tokens that one step reads beside those of texts whose prompts are read: long prompts come in parts, so that
    /// the others do not wait for all of them.
    static let promptBlock = 128

    init(_ pass: AdaptedPass) { self.pass = pass }

    func add(_ text: Continuation) { texts.append(text) }

    /// Takes the texts out that a test finds.
    func remove(where isGone: (Continuation) -> Bool) { texts.removeAll(where: isGone) }

    /// Takes the texts out that have ended, with what they gave.
    func takeEnded(
        _ eachToken: (Int, Int) -> Bool, _ eachByte: (Int, UInt8) -> Bool
    ) -> [(text: Continuation, generation: Generation)] {
        var ended: [(text: Continuation, generation: Generation)] = []
        texts.removeAll { text in
            guard let generation = text.generation(eachToken, eachByte) else { return false }
            ended.append((text, generation))
            return true
        }
        return ended
    }

    /// Reads what is new of the texts; of those whose prompts are read by then, one more token is chosen.
    ///
    /// - Parameter isMeant: Of which texts.
    /// - Returns: Texts whose next token could not be chosen; they are taken out.
    /// - Throws: What reading an expert throws; then no token was chosen, and these texts are to be given up, or to
    ///   start over.
    func step(
        _ eachToken: (Int, Int) -> Bool, _ eachByte: (Int, UInt8) -> Bool,
        where isMeant: (Continuation) -> Bool = { _ in true }
    ) throws -> [(text: Continuation, error: CambiumError)] {
        let texts = texts.filter(isMeant)
        guard !texts.isEmpty else { return [] }
        let isMixed = texts.contains { !$0.isReading }
        // A gate reads a prompt at once: each of its parts could need another adapter.
        var room =
            pass.model.mixture.hasGate ? Int.max : isMixed ? Self.promptBlock : Session.blockSize
        var some: [(text: Continuation, tokens: [Int])] = []
        var whole: [(text: Continuation, tokens: [Int])] = []
        for text in texts {
            guard text.isReading else {
                some.append((text, text.takePending(atMost: .max)))
                continue
            }
            guard room > 0 else { continue }
            let readsAll = text.readsAll
            let tokens = text.takePending(atMost: room)
            room -= tokens.count
            if readsAll { whole.append((text, tokens)) } else { some.append((text, tokens)) }
        }
        var failed: [(text: Continuation, error: CambiumError)] = []
        func take(_ text: Continuation, _ logits: [Float]) {
            guard !text.isReading, !text.isComplete else { return }
            do {
                try text.append(logits, eachToken, eachByte)
            } catch let error as CambiumError {
                failed.append((text, error))
            } catch {
                failed.append((text, CambiumError(.io, "\(error)", cause: error)))
            }
        }
        // Nothing is chosen before all have run: what starts over has gone no further than the others.
        let logits = try pass.append(some.map { ($0.text.session, $0.tokens) })
        let all =
            whole.isEmpty
            ? [] : try pass.append(whole.map { ($0.text.session, $0.tokens) }, logits: .all)
        for ((text, _), row) in zip(some, logits) { take(text, row) }
        for ((text, tokens), rows) in zip(whole, all) {
            text.notePrompt(rows, tokens.count)
            take(text, Array(rows.suffix(rows.count / tokens.count)))
        }
        if !failed.isEmpty {
            self.texts.removeAll { text in failed.contains { $0.text === text } }
        }
        return failed
    }
}
