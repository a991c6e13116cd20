package import Cambium
package import Pictures

/// What a browser asks of a site.
package struct SiteRequest: Sendable {
    /// Whether it is to change something.
    package let isPost: Bool
    /// The path, without its fields: `/commit`.
    package let path: String
    /// Fields of the address, or of a form, decoded.
    package let fields: [String: String]
    /// The headers `Host`, `Origin` and `Sec-Fetch-Site`, where they were sent.
    package let host: String?
    package let origin: String?
    package let fetchSite: String?
    /// Of a trial, what models wrote, by revision; see ``Site/trial(of:)``.
    package var texts: [String: TrialText] = [:]

    package init(
        isPost: Bool, path: String, fields: [String: String], host: String? = nil,
        origin: String? = nil, fetchSite: String? = nil
    ) {
        self.isPost = isPost
        self.path = path
        self.fields = fields
        self.host = host
        self.origin = origin
        self.fetchSite = fetchSite
    }

    /// A field; nil when it is missing or empty.
    func field(_ name: String) -> String? { fields[name].flatMap { $0.isEmpty ? nil : $0 } }

    /// A number of a field, from 0; 0 when it is none.
    func number(_ name: String) -> Int {
        max(0, min(1 << 40, fields[name].flatMap { Int($0) } ?? 0))
    }

    /// Whether a page of the same site sent it.
    ///
    /// A browser says where a form comes from; what says nothing is no browser, and has to know the token all the same.
    var isFromHere: Bool {
        if let fetchSite, fetchSite != "same-origin" { return false }
        guard let origin else { return true }
        return host.map { origin == "http://\($0)" || origin == "https://\($0)" } ?? false
    }
}

/// What a site answers.
package enum SiteAnswer: Sendable {
    case page(Markup, status: Int)
    case picture(Markup)
    /// Where to go on.
    case redirect(String)
}

/// A store in the browser: pages of plain links and forms.
///
/// It only reads, unless editing is allowed; an edit needs the token that is in this site's own forms.
package struct Site: Sendable {
    let store: Store
    let title: String
    let allowsEdit: Bool
    /// In every form that edits; other sites cannot read it.
    let token: String

    /// - Parameter title: What the pages are called, such as the store's folder.
    package init(_ store: Store, title: String, allowsEdit: Bool) {
        self.store = store
        self.title = title
        self.allowsEdit = allowsEdit
        token = (0..<4).map { _ in String(UInt64.random(in: .min ... .max), radix: 36) }.joined()
    }

    /// Where the site's pages are.
    package static let paths = [
        "/", "/log", "/commit", "/diff", "/pool", "/expert", mergePath, "/try", "/runs", "/report",
        "/figure",
    ]
    /// Where a form is sent to that commits a merge.
    package static let mergePath = "/merge"

    /// The policy of every page (Content-Security-Policy).
    package static let policy = PageScript.policy + "; form-action 'self'; frame-ancestors 'none'"

    /// Answers a request; what is wrong with it is told on a page.
    ///
    /// May take some time: not to be called where others wait.
    package func answer(_ request: SiteRequest) -> SiteAnswer {
        do {
            return try request.isPost ? edit(request) : show(request)
        } catch let error as CambiumError {
            let isMissing = error.code == .notFound || error.code == .badRevision
            return problem(error.message, status: isMissing ? 404 : 400)
        } catch {
            return problem("\(error)", status: 400)
        }
    }

    private func show(_ request: SiteRequest) throws -> SiteAnswer {
        let page: Markup
        switch request.path {
        case "/", "": page = try overview(request)
        case "/log": page = try log(request)
        case "/commit": page = try commit(request)
        case "/diff": page = try diff(request)
        case "/pool": page = try pool(request)
        case "/expert": page = try expert(request)
        case "/merge": page = try merge(request, problem: nil)
        case "/try": page = try trial(request)
        case "/runs": page = try runs()
        case "/report":
            page = try Page(
                store.figures(request.field("rev").map { [$0] } ?? []), title: title,
                isOfSite: true
            ).markup
        case "/figure":
            guard let name = request.field("name").flatMap({ FigureName(rawValue: $0) }) else {
                return problem("there is no such figure", status: 404)
            }
            return .picture(try name.figure(of: store.figures()).svg())
        default: return problem("there is no page \(request.path)", status: 404)
        }
        return .page(page, status: 200)
    }

    private func edit(_ request: SiteRequest) throws -> SiteAnswer {
        guard allowsEdit else {
            return problem(
                "this site only reads: start it with --allow-edit to change the store", status: 403)
        }
        guard request.isFromHere, request.fields["token"] == token else {
            return problem(
                "this form is not from this site, or from before it was started again", status: 403)
        }
        switch request.path {
        case "/merge": return try commitMerge(request)
        default: return problem("there is nothing to change at \(request.path)", status: 404)
        }
    }

    /// A page that says what is wrong.
    package func problem(_ words: String, status: Int) -> SiteAnswer {
        .page(
            frame("Not here", .element("p", ["class": "missing"], words: words)), status: status)
    }
}
