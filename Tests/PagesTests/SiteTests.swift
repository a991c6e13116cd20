import Cambium
import Foundation
import Objects
import Pictures
import Reporting
import Snapshots
import TestSupport
import Testing

@testable import Pages

@Suite("The site")
struct SiteTests {
    private func page(_ answer: SiteAnswer) throws -> (text: String, status: Int) {
        guard case .page(let markup, let status) = answer else {
            throw CambiumError(.usage, "not a page: \(answer)")
        }
        return (markup.text, status)
    }

    private func ask(_ site: Site, _ address: String) throws -> (text: String, status: Int) {
        let parts = address.split(separator: "?", maxSplits: 1).map(String.init)
        let fields = try SiteRequest.fields(parts.count > 1 ? parts[1] : "")
        return try page(site.answer(SiteRequest(isPost: false, path: parts[0], fields: fields)))
    }

    @Test("every link of every page leads to a page", .timeLimit(.minutes(1)))
    func links() throws {
        try FigureTests().withHistory(subject: "<b>'\"&\u{202E}") { (store, _) throws in
            let site = Site(store, title: "S", allowsEdit: true)
            var (seen, next) = (Set(["/"]), ["/"])
            while let address = next.popLast(), seen.count < 400 {
                let (text, status) = try ask(site, address)
                #expect(status == 200, "\(address)")
                #expect(!text.contains("<b>'"), "\(address)")
                for part in text.components(between: "href=\"", and: "\"") {
                    let link = part.replacing("&amp;", with: "&")
                    guard link.hasPrefix("/"), seen.insert(link).inserted else { continue }
                    next.append(link)
                }
            }
            #expect(seen.count > 20)
            for address in [
                "/diff?from=left&to=right", "/merge?from=left&into=right",
                "/expert?rev=left&path=1/5",
            ] {
                #expect(try ask(site, address).status == 200, "\(address)")
            }
        }
    }

    @Test("what is not there, and what cannot be, is told on a page")
    func problems() throws {
        try FigureTests().withHistory { (store, _) throws in
            let site = Site(store, title: "S", allowsEdit: false)
            for address in [
                "/nowhere", "/commit?rev=nowhere", "/expert?rev=main&path=1/999",
                "/figure?name=pie",
            ] {
                #expect(try ask(site, address).status == 404, "\(address)")
            }
            for address in [
                "/expert?rev=main&path=x", "/pool?rev=main&path=-1", "/log?rev=a..b..c&skip=-5",
            ] {
                #expect(try (400...404).contains(ask(site, address).status), "\(address)")
            }
            #expect(try ask(site, "/log?skip=99999999999999999999").status == 200)
        }
    }

    @Test("a merge is committed by this site's own form alone, with its conflicts settled")
    func edits() throws {
        try FigureTests().withHistory { (store, _) throws in
            let site = Site(store, title: "S", allowsEdit: true)
            let before = try store.resolve("left")
            func post(
                _ site: Site, _ fields: [String: String], origin: String? = "http://localhost:8080",
                fetchSite: String? = "same-origin"
            ) -> SiteAnswer {
                site.answer(
                    SiteRequest(
                        isPost: true, path: "/merge", fields: fields, host: "localhost:8080",
                        origin: origin, fetchSite: fetchSite))
            }
            let shown = try ask(site, "/merge?from=right&into=left").text
            #expect(shown.contains("name=\"take:1/5\"") && shown.contains(site.token))
            var fields = ["from": "right", "into": "left", "token": site.token]
            let refused: [SiteAnswer] = [
                post(Site(store, title: "S", allowsEdit: false), fields),
                post(site, fields, origin: "http://elsewhere.example"),
                post(site, fields, origin: "null"), post(site, fields, fetchSite: "cross-site"),
                post(site, fields.merging(["token": "guess"]) { $1 }),
                post(site, ["from": "right", "into": "left"]),
            ]
            for answer in refused { #expect(try page(answer).status == 403) }
            // Conflicts that are left: nothing is written.
            #expect(try page(post(site, fields)).status == 409)
            fields["policy"] = "nonsense"
            #expect(try page(post(site, fields)).status == 409)
            #expect(try store.resolve("left") == before)
            fields["policy"] = nil
            fields["take:1/5"] = "right"
            guard case .redirect(let place) = post(site, fields) else {
                Issue.record("the merge was not committed")
                return
            }
            let after = try store.resolve("left")
            #expect(place == "/commit?rev=left" && after != before)
            #expect(try store.expert("left", "1/5").id == store.expert("right", "1/5").id)
        }
    }

    @Test("a merge form that was not enough comes back as filled in, with what is open first")
    func filled() throws {
        try withStore { snapshots in
            let store = Store(snapshots, snapshots.directory)
            let place = SyntheticModel.Place(1)
            let base = try snapshots.commit(.sample(experts: 40), message: "base").id
            for (name, value) in [("left", UInt8(1)), ("right", UInt8(2))] {
                try store.createBranch(name, at: base.hex, Signature(author: "t", time: 1_000))
                var model = SyntheticModel.sample(experts: 40)
                for expert in [5, 6, 7] { model.pools[place]?.experts[expert]?[0] = value }
                try snapshots.commit(model, to: name, message: name)
            }
            let site = Site(store, title: "S", allowsEdit: true)
            func post(_ more: [String: String]) -> SiteAnswer {
                let fields = ["from": "right", "into": "left", "token": site.token]
                return site.answer(
                    SiteRequest(
                        isPost: true, path: "/merge", fields: fields.merging(more) { $1 }))
            }
            var fields = ["take:1/5": "right", "take:1/7": "mean", "message": "my <long> words"]
            let (text, status) = try page(post(fields))
            #expect(status == 409 && text.contains("1 conflict left"))
            #expect(text.contains("3 conflicts to settle, 1 of them still open"))
            #expect(text.contains("value=\"my &lt;long&gt; words\""))
            let selects = text.components(between: "name=\"take:", and: "</select>")
            #expect(selects.map { $0.prefix(3) } == ["1/6", "1/5", "1/7"])
            #expect(!selects[0].contains("selected"))
            #expect(selects[1].contains("<option value=\"right\" selected=\"\">that of right"))
            #expect(selects[2].contains("<option value=\"mean\" selected=\"\">the mean"))
            // What is wrong is told, and what was right stays.
            fields["take:1/6"] = "nobody"
            fields["policy"] = "ours"
            let wrong = try page(post(fields))
            #expect(wrong.status == 409 && wrong.text.contains("nobody"))
            #expect(wrong.text.contains("<option value=\"ours\" selected=\"\">"))
            #expect(wrong.text.contains("<option value=\"right\" selected=\"\">that of right"))
            fields["policy"] = "nonsense"
            #expect(try page(post(fields)).text.contains("my &lt;long&gt; words"))
            (fields["take:1/6"], fields["policy"]) = ("left", nil)
            // Sent twice, it leads to the same commit.
            for _ in 0..<2 {
                guard case .redirect("/commit?rev=left") = post(fields) else {
                    Issue.record("the merge was not committed")
                    return
                }
            }
            #expect(try store.show("left").message == "my <long> words")
        }
    }

    @Test("what was removed is a change, and is shown where it still was")
    func removed() throws {
        try withStore { snapshots in
            let store = Store(snapshots, snapshots.directory)
            var model = SyntheticModel.sample(experts: 40)
            let base = try snapshots.commit(model, message: "base").id.hex
            let place = try #require(model.pools.keys.max())
            model.pools[place] = nil
            let next = try snapshots.commit(model, message: "without a pool").id.hex
            let site = Site(store, title: "S", allowsEdit: false)
            let text = try ask(site, "/diff?from=\(base)&to=\(next)").text
            #expect(text.contains("<h1>From \(base.short) to \(next.short)</h1>"))
            #expect(text.contains(">100 %<") && !text.contains(">0 %<"))
            #expect(text.contains("<td data-column=\"what\">removed</td>"))
            for part in text.components(between: "href=\"", and: "\"")
            where part.hasPrefix("/pool") || part.hasPrefix("/expert") {
                #expect(try ask(site, part.replacing("&amp;", with: "&")).status == 200, "\(part)")
            }
        }
    }

    @Test("numbers of tables are sorted as numbers, by the script that is allowed")
    func sorting() throws {
        try FigureTests().withHistory { (store, _) throws in
            let site = Site(store, title: "S", allowsEdit: false)
            let text = try ask(site, "/commit?rev=main").text
            #expect(
                text.contains("class=\"number\" data-column=\"experts\" data-value=\"40\">40<"))
            #expect(text.contains("data-column=\"bytes of one\" data-value=\"128\">128 bytes<"))
            let diff = try ask(site, "/diff?from=left&to=right").text
            #expect(diff.contains(" data-column=\"by\" data-value=\""))
            let digest = try #require(
                Data(base64Encoded: String(PageScript.digest.description.dropFirst(7))))
            let hex = digest.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
            #expect(ObjectID(hashing: Array(PageScript.text.description.utf8)).hex == hex)
        }
    }

    @Test("an expert tells since when it is as it is, who has the same, and which are near")
    func expert() throws {
        try FigureTests().withHistory { (store, _) throws in
            let site = Site(store, title: "S", allowsEdit: false)
            let text = try ask(site, "/expert?rev=main&path=1/3").text
            let left = try store.resolve("left")
            #expect(text.contains("<dt>as it is since</dt><dd><a href=\"/commit?rev=\(left)\">"))
            let near = try store.nearest(to: "1/3", in: "main").experts
            let cosines = text.components(
                between: "data-column=\"cosine\" data-value=\"", and: "\"")
            #expect(!near.isEmpty && cosines == near.map { "\($0.cosine)" })
            let apart = text.components(between: "data-column=\"apart\" data-value=\"", and: "\"")
            #expect(apart == near.compactMap { $0.relativeL2.map { "\($0)" } })
            for other in near { #expect(text.contains("path=1%2F\(other.ordinal)\"")) }
            #expect(text.contains("cambium show main:1/3 --nearest 8"))
        }
    }

    @Test("a heading has the beginning of an id")
    func headings() throws {
        try FigureTests().withHistory { (store, _) throws in
            let site = Site(store, title: "S", allowsEdit: true)
            let (left, right) = (try store.resolve("left"), try store.resolve("right"))
            for address in [
                "/log?rev=\(left)", "/log?rev=\(left)&path=1/5", "/diff?from=\(left)&to=\(right)",
                "/merge?from=\(left)&into=right",
            ] {
                let heading = try ask(site, address).text.components(between: "<h1>", and: "</h1>")
                #expect(heading.count == 1 && heading[0].contains(left.short), "\(address)")
                #expect(!heading[0].contains(left))
            }
        }
    }

    @Test("fields are decoded as browsers encode them, and there are not too many")
    func fields() throws {
        #expect(
            try SiteRequest.fields("a=1&b=x+y%26%C3%A9&c&a=2") == ["a": "2", "b": "x y&é", "c": ""])
        #expect(try SiteRequest.fields("%zz=%4&=") == ["%zz": "%4", "": ""])
        #expect(try SiteRequest.fields("").isEmpty)
        #expect(throws: CambiumError.self) {
            try SiteRequest.fields(String(repeating: "a&", count: 3_000))
        }
        let address = Address("/log", ["rev": "a b&c=\"<é\u{202E}"]).text
        #expect(address == "/log?rev=a%20b%26c%3D%22%3C%C3%A9%E2%80%AE")
    }
}

extension String {
    /// The parts that stand between two texts.
    func components(between start: String, and end: String) -> [String] {
        ranges(of: start).compactMap { range in
            let rest = self[range.upperBound...]
            return rest.firstRange(of: end).map { String(rest[..<$0.lowerBound]) }
        }
    }
}
