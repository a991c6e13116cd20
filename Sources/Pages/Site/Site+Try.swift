package import Cambium
internal import Pictures
internal import Reporting

extension Site {
    private static let mostTokens = 64
    private static let longestPrompt = 2_048
    /// Tokens whose experts are told.
    private static let mostRoutes = 96

    /// What models are asked to write for a request, whose ``SiteRequest/texts`` are then to hold it; nil for none.
    ///
    /// Only this site's own form lets a model run: it has the token, which pages of others cannot read.
    package func trial(of request: SiteRequest) -> Trial? {
        let prompt = request.fields["prompt"] ?? ""
        guard request.path == "/try", !request.isPost, request.fields["token"] == token,
            !prompt.isEmpty, prompt.utf8.count <= Self.longestPrompt
        else { return nil }
        return Trial(
            prompt: Array(prompt.utf8), revisions: revisions(request).filter { !$0.isEmpty },
            count: tokens(request))
    }

    private func revisions(_ request: SiteRequest) -> [String] {
        [request.field("a") ?? "main", request.field("b") ?? ""]
    }

    /// One prompt, continued by two revisions side by side, with the experts that each token picked.
    func trial(_ request: SiteRequest) throws -> Markup {
        let prompt = request.fields["prompt"] ?? ""
        let names = revisions(request)
        let asks =
            form(
                "/try",
                .void("input", ["type": "hidden", "name": "token", "value": token])
                    + .element(
                        "p", [:],
                        .element(
                            "label", [:],
                            Markup("Prompt ")
                                + .element(
                                    "textarea", ["name": "prompt", "rows": "3", "cols": "40"],
                                    words: prompt)))
                    + input("Revision", "a", value: names[0], list: "branches")
                    + input("beside", "b", value: names[1], list: "branches")
                    + input("Tokens", "n", value: "\(tokens(request))"),
                button: "Try") + (try branchList())
        guard !prompt.isEmpty else { return frame("Try a prompt", asks) }
        guard prompt.utf8.count <= Self.longestPrompt else {
            throw CambiumError(
                .usage,
                "the prompt has \(prompt.utf8.count) bytes; \(Self.longestPrompt) at most can be tried here"
            )
        }
        let answers = try names.compactMap { name in
            try request.texts[name].map { text in
                Markup.element("div", ["class": "side"], try answer(prompt, name, text))
            }
        }
        guard !answers.isEmpty else {
            return frame(
                "Try a prompt",
                asks + .element("p", ["class": "quiet"], words: "Nothing has been written yet."))
        }
        return frame("Try a prompt", asks + .element("div", ["class": "sides"], Markup(answers)))
    }

    private func tokens(_ request: SiteRequest) -> Int {
        request.field("n") == nil ? 32 : max(1, min(Self.mostTokens, request.number("n")))
    }

    private func answer(_ prompt: String, _ revision: String, _ text: TrialText) throws -> Markup {
        let model = text.model
        var routes: [Int: [TokenRoute]] = [:]
        try model.routes(Array(prompt.utf8) + text.bytes) { route in
            guard route.position < Self.mostRoutes else { return false }
            routes[route.position, default: []].append(route)
            return true
        }
        let tokenizer = try model.tokenizer()
        let rows = routes.sorted { $0.key < $1.key }.map { position, layers in
            let token = layers[0].token
            let words =
                tokenizer.map { $0.decode([token], skipsSpecialTokens: false) } ?? spelled(token)
            return [
                Markup("\(position)"), Markup(words),
                Markup(
                    layers.map { route in
                        let picks = route.heads.flatMap(\.experts).prefix(8).map { "\($0)" }
                        return "layer \(route.layer): \(picks.joined(separator: ", "))"
                    }.joined(separator: "; ")),
            ]
        }
        return .element("h2", [:], commitLink(revision, revision) + Markup(" " + model.id.short))
            + .element(
                "p", ["class": "answer"],
                .element("span", ["class": "quiet"], words: prompt)
                    + .element("strong", words: String(decoding: text.bytes, as: UTF8.self)))
            + table(
                "Experts that each token of \(revision) picked", ["place", "token", "experts"], rows
            )
    }

    /// A byte as a person would write it.
    private func spelled(_ token: Int) -> String {
        guard let byte = UInt8(exactly: token), byte > 0x20, byte < 0x7F else {
            return "0x" + (token < 16 ? "0" : "") + String(token, radix: 16)
        }
        return String(UnicodeScalar(byte))
    }
}

/// A prompt that models of some revisions are to go on with.
package struct Trial: Sendable {
    package let prompt: [UInt8]
    package let revisions: [String]
    /// New tokens of each.
    package let count: Int
}

/// What a model wrote.
package struct TrialText: Sendable {
    let model: MappedModel
    let bytes: [UInt8]

    package init(_ model: MappedModel, _ bytes: [UInt8]) {
        self.model = model
        self.bytes = bytes
    }
}
