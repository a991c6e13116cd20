import Testing

@testable import CambiumCommand

@Suite("The graph of a log")
struct LogGraphTests {
    /// Draws commits given as "id: parent parent".
    private func drawn(_ commits: [String], isUnicode: Bool = true) -> [String] {
        let parsed = commits.map { line in
            let words = line.split { $0 == " " || $0 == ":" }.map(String.init)
            return (id: words[0], parents: Array(words.dropFirst()))
        }
        var graph = LogGraph(parsed.map(\.id), isUnicode: isUnicode)
        return parsed.flatMap { commit in
            let rows = graph.add(commit.id, parents: commit.parents)
            return ["\(rows.commit) \(commit.id)"] + rows.after
        }
    }

    @Test("a line of commits is one lane")
    func line() {
        #expect(drawn(["c: b", "b: a", "a:"]) == ["* c", "* b", "* a"])
    }

    @Test("nothing is drawn for an empty history")
    func empty() { #expect(drawn([]).isEmpty) }

    @Test("two branches part from their base")
    func branches() {
        #expect(drawn(["l: a", "r: a", "a:"]) == ["* l", "│ * r", "├─╯", "* a"])
    }

    @Test("a merge opens a lane per further parent and each joins the base")
    func octopus() {
        #expect(
            drawn(["m: a l r", "l: a", "r: a", "a:"]) == [
                "* m", "├─┬─╮", "│ * │ l", "├─╯ │", "│   * r", "├───╯", "* a",
            ])
    }

    @Test("a merge whose parents are branches joins their lanes again")
    func diamond() {
        #expect(
            drawn(["m: l r", "l: a", "r: a", "a:"]) == [
                "* m", "├─╮", "* │ l", "│ * r", "├─╯", "* a",
            ])
    }

    @Test("a merge of branches that go on joins their lanes without ending them")
    func ongoing() {
        #expect(
            drawn(["x: l", "y: r", "m: a l r", "l: a", "r: a", "a:"]) == [
                "* x", "│ * y", "│ │ * m", "├─┼─┤", "* │ │ l", "├─│─╯", "│ * r", "├─╯", "* a",
            ])
    }

    @Test("a connection passes over a lane that it does not touch")
    func crossing() {
        #expect(
            drawn(["x: a", "y: q", "z: a", "q: a", "a:"]) == [
                "* x", "│ * y", "│ │ * z", "├─│─╯", "│ * q", "├─╯", "* a",
            ])
    }

    @Test("a criss-cross merge keeps both sides apart")
    func crissCross() {
        #expect(
            drawn(["m: c d", "n: c d", "c: a b", "d: a b", "a: o", "b: o", "o:"]) == [
                "* m", "├─╮", "│ │ * n", "├─┼─╯", "* │ c", "├─│─╮", "│ * │ d", "├─┴─┤", "*   │ a",
                "│   * b", "├───╯", "* o",
            ])
    }

    @Test("unrelated histories have lanes of their own")
    func unrelated() {
        #expect(drawn(["b:", "a:"]) == ["* b", "* a"])
    }

    @Test("a lane to a commit that is not listed ends")
    func limited() {
        #expect(drawn(["c: b x", "b: a"]) == ["* c", "* b"])
    }

    @Test("without Unicode the same picture is drawn in ASCII")
    func ascii() {
        #expect(
            drawn(["m: a l r", "l: a", "r: a", "a:"], isUnicode: false) == [
                "* m", "|-.-\\", "| * | l", "|-/ |", "|   * r", "|---/", "* a",
            ])
    }
}
