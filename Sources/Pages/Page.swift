package import Cambium
package import Pictures
internal import Reporting

/// A report as one page: it needs no network and no script, and brings all that it shows.
package struct Page: Sendable {
    /// A figure, or why it could not be made.
    private enum Part: Sendable {
        case figure(Figure)
        case failure(FigureName, String)

        var name: FigureName {
            switch self {
            case .figure(let figure): figure.name
            case .failure(let name, _): name
            }
        }
    }

    private let title: String
    private let summary: String
    private let isOfSite: Bool
    private let parts: [Part]

    /// Puts the figures of a store together.
    ///
    /// A figure that cannot be made says why, in its place.
    ///
    /// - Parameters:
    ///   - title: What the report is about, such as the store's name.
    ///   - names: The figures, in this order.
    ///   - isOfSite: Whether the store's site shows it, to which a link leads back.
    ///   - progress: Told how many figures are done.
    package init(
        _ figures: Figures, title: String, names: [FigureName] = FigureName.allCases,
        isOfSite: Bool = false, progress: ProgressReporter = { _ in }
    ) throws {
        var parts: [Part] = []
        for name in names {
            do {
                parts.append(.figure(try name.figure(of: figures)))
            } catch let error as CambiumError {
                parts.append(.failure(name, error.message))
            }
            try progress(Progress("figures", parts.count, names.count))
        }
        let what =
            figures.revisions.isEmpty
            ? "every branch and tag" : figures.revisions.joined(separator: ", ")
        self.title = title
        self.isOfSite = isOfSite
        self.parts = parts
        summary =
            "\(Quantity.count(figures.commits.count, "commit")) of \(what)"
            + (figures.commits.first.map { "; the newest of \(Timestamp.text($0.time))" } ?? "")
    }

    /// The page.
    package var markup: Markup {
        Markup(literal: "<!doctype html>\n")
            + .element(
                "html", ["lang": "en"],
                head
                    + .element(
                        "body", [:],
                        .element(
                            "a", ["class": "skip", "href": "#history"], words: "Go to the figures")
                            + header
                            + .element("main", [:], Markup(parts.map(section)))
                            + footer
                            + .element("script", [:], Markup(literal: PageScript.text))))
            + Markup(literal: "\n")
    }

    private var head: Markup {
        let policy = PageScript.policy + "; form-action 'none'"
        var content = Markup.void("meta", ["charset": "utf-8"])
        for (name, value) in [
            ("viewport", "width=device-width, initial-scale=1"), ("color-scheme", "light dark"),
            ("generator", "cambium \(programVersion)"),
        ] { content += .void("meta", ["name": name, "content": value]) }
        content += .void("meta", ["http-equiv": "Content-Security-Policy", "content": policy])
        content += .void("link", ["rel": "icon", "href": "data:,"])
        content += .element("title", words: "\(title) – Cambium report")
        content += .element(
            "style", [:], Markup(literal: Palette.css) + Markup(literal: PageStyle.css))
        return .element("head", [:], content)
    }

    private var header: Markup {
        .element(
            "header", [:],
            .element("h1", words: title) + .element("p", ["class": "quiet"], words: summary)
                + (isOfSite
                    ? .element("p", [:], .element("a", ["href": "/"], words: "Back to the store"))
                    : Markup())
                + .element(
                    "nav", ["aria-label": "Figures"],
                    .element(
                        "ul", [:],
                        Markup(
                            parts.map {
                                .element(
                                    "li", [:],
                                    .element(
                                        "a", ["href": "#\($0.name.rawValue)"], words: $0.name.title)
                                )
                            }))))
    }

    private var footer: Markup {
        .element(
            "footer", ["class": "quiet"],
            .element(
                "p", [:],
                Markup("Made by Cambium \(programVersion). Every figure also by ")
                    + .element("code", words: "cambium report --figure NAME --json")
                    + Markup(", --csv, or -o NAME.svg.")))
    }

    private func section(_ part: Part) -> Markup {
        let name = part.name
        let heading = Markup.element("h2", ["id": "\(name.rawValue)-heading"], words: name.title)
        let body =
            switch part {
            case .failure(_, let message):
                Markup.element(
                    "p", ["class": "missing"], words: "This figure could not be made: \(message)")
            case .figure(let figure): figure.body
            }
        return .element(
            "section",
            [
                "id": name.rawValue, "aria-labelledby": "\(name.rawValue)-heading",
            ], heading + body)
    }
}

extension Figure {
    /// The drawing for both widths, and the table behind it.
    fileprivate var body: Markup {
        if let missing {
            return .element(
                "p", ["class": "missing"],
                Markup(missing.words + " ")
                    + (missing.command.map { Markup("Recorded by ") + .element("code", words: $0) }
                        ?? Markup()))
        }
        let wide = boxed(width: Self.wide)
        // A long history is not drawn twice: it can be scrolled.
        let narrow = wide.count > 3 ? [] : boxed(width: Self.narrow)
        let command = "cambium report --figure \(name.rawValue) --csv"
        return .element("p", ["class": "caption"], words: caption)
            + sheet(wide, kind: narrow.isEmpty ? "sheet" : "sheet wide")
            + (narrow.isEmpty ? Markup() : sheet(narrow, kind: "sheet narrow"))
            + .element(
                "details", [:],
                .element("summary", words: "\(name.title) as a table")
                    + table.markup(caption: "\(name.title) as a table", command: command))
    }

    /// The border, the padding and the scrollbar of the box that a long figure is scrolled in.
    private static let boxWidth = 44.0

    /// The drawing as wide as it has room for on the page.
    func boxed(width: Double) -> [Drawing] {
        let parts = drawings(width: width)
        return parts.count > 1 ? drawings(width: width - Self.boxWidth) : parts
    }

    private func sheet(_ drawings: [Drawing], kind: String) -> Markup {
        .element(
            "div",
            [
                "class": kind + (drawings.count > 1 ? " long" : ""), "tabindex": "0",
                "role": "region",
                "aria-label": "\(name.title), drawn",
            ],
            Markup(
                drawings.map { .element("div", ["class": "part"], $0.inline) }))
    }
}
