internal import ArgumentParser
internal import Cambium
internal import Reporting

/// Something that went wrong, ready to be told.
struct Failure: Error, Equatable {
    /// A stable word, as in ``CambiumError``.
    let code: String
    /// What happened, with the value.
    let message: String
    /// What to do about it.
    var hint: String?
    /// The exit status.
    let status: ExitStatus

    /// Makes a failure of the command line itself.
    init(_ code: CambiumError.Code, _ message: String, hint: String? = nil) {
        self.code = code.rawValue
        self.message = message
        self.hint = hint
        status = ExitStatus(code)
    }

    /// Tells an error of the store.
    init(_ error: CambiumError) {
        self.init(error.code, error.message, hint: Self.hint(for: error))
    }

    /// The next step after an error; nil when the message says it.
    private static func hint(for error: CambiumError) -> String? {
        // The message names the next step itself.
        let steps = ["cambium ", "Restore", "free s", "chmod ", "ulimit "]
        guard !steps.contains(where: { error.message.contains($0) }) else { return nil }
        return switch error.code {
        case .branchMoved: "look at it with `cambium log`, then run the command again"
        case .corrupt: "`cambium verify` lists every fault"
        case .busy: "another process is at work in the store; try again when it is done"
        case .diskFull: "the store is as it was; free some space and try again"
        case .readOnly: "this command changes the store, which you or its disk may not"
        case .ambiguous: "`cambium log --all` lists commits with longer ids"
        case .badRevision: "`cambium help revisions` explains them"
        default: nil
        }
    }

    /// The failure as lines for a person.
    func lines(_ style: Style) -> [String] {
        let first = style.bad("error:") + " " + message
        return [first] + (hint.map { [style.faint("hint:") + " " + $0] } ?? [])
    }

    /// The failure as one JSON object.
    var json: String {
        JSONText.encode(
            Body(error: Body.Detail(code: code, message: message, hint: hint)))
    }

    private struct Body: Encodable {
        struct Detail: Encodable {
            let code: String
            let message: String
            let hint: String?

            func encode(to encoder: any Encoder) throws {
                var container = encoder.container(keyedBy: CodingKeys.self)
                try container.encode(code, forKey: .code)
                try container.encode(message, forKey: .message)
                // A reader may rely on the key: no hint is null.
                try container.encode(hint, forKey: .hint)
            }

            enum CodingKeys: String, CodingKey { case code, message, hint }
        }

        let schema = JSONText.schema
        let error: Detail

        enum CodingKeys: String, CodingKey { case schema, error }
    }
}
