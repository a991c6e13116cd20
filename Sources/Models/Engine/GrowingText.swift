internal import Architectures
internal import Elements

/// A text that goes on in turns, such as a conversation: what a model has read of it stays read.
///
/// Not to be shared between threads.
package final class GrowingText {
    let pass: AdaptedPass
    let session: AdaptedSession

    /// - Parameter threads: Share the work; what the model says does not depend on them.
    package init(_ model: AdaptedModel, threads: Int) throws {
        pass = AdaptedPass(model, team: try model.base.team(threads))
        session = AdaptedSession(model, pass: pass)
    }

    /// Tokens that were read and need not be read again.
    package var position: Int { session.position }

    /// Makes ready for a text: what was read stays if the text begins with it and fits the context.
    func begin(_ text: [Int]) {
        let read = session.text
        guard read.count < text.count, text.count <= session.model.description.contextLength,
            text.starts(with: read)
        else { return session.reset() }
    }
}
