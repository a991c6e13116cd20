import Testing

@testable import CambiumCommand

@Suite("Reading arguments")
struct OptionTests {
    @Test("global options before the command go behind it")
    func order() {
        #expect(
            Invocation.ordered(["-C", "S", "--json", "log", "-n", "1"]) == [
                "log", "-C", "S", "--json", "-n", "1",
            ])
        #expect(Invocation.ordered(["--store=S", "ls"]) == ["ls", "--store=S"])
        #expect(Invocation.ordered(["log", "-C", "S"]) == ["log", "-C", "S"])
        #expect(Invocation.ordered(["-q", "help", "log"]) == ["help", "log"])
        #expect(Invocation.ordered(["-C"]) == ["-C"])
        #expect(Invocation.ordered(["--version"]) == ["--version"])
        #expect(Invocation.ordered([]) == [])
    }

    @Test("a place splits at the first colon")
    func place() {
        #expect(Place("main").path == nil)
        #expect(Place("main:1/17").revision == "main")
        #expect(Place("main:1/17").path == "1/17")
        #expect(Place(":1/17").revision == "HEAD")
        #expect(Place("v1:a:b").path == "a:b")
        #expect(Place("main:1/17").namesExperts)
        #expect(!Place("main:config.json").namesExperts)
        #expect(!Place("main").namesExperts)
    }

    @Test("pairs split at their sign")
    func pairs() {
        #expect(TextPair(argument: "a=b=c")?.value == "b=c")
        #expect(TextPair(argument: "a=")?.value == "")
        #expect(TextPair(argument: "=b") == nil)
        #expect(TextPair(argument: "a") == nil)
        #expect(NumberPair(argument: "wikitext.bpb=2.31")?.value == 2.31)
        #expect(NumberPair(argument: "a=b=1")?.name == "a=b")
        #expect(NumberPair(argument: "a=x") == nil)
    }

    @Test("a text's name is its stem, or its folder's where the stem says only the part")
    func textNames() {
        #expect(TextName.of("data/swahili/test.txt") == "swahili")
        #expect(TextName.of("notes.txt") == "notes")
        #expect(TextName.of("test.txt") == "test")
        #expect(TextName.of("a/b.c.txt") == "b.c")
        #expect(TextName.of("a/.hidden") == ".hidden")
        #expect(TextName.of("-") == "-")
        #expect(TextName.unique(["a/x.txt", "b/x.txt", "y.txt"]) == ["a/x.txt", "b/x.txt", "y"])
    }

    @Test("a limit is a number above 0, or all")
    func limits() {
        #expect(ByteLimit(argument: "all")?.count == .some(nil))
        #expect(ByteLimit(argument: "5")?.count == 5)
        #expect(ByteLimit(argument: "0") == nil)
        #expect(ByteLimit(argument: "x") == nil)
    }

    @Test("a misspelt command finds the right one")
    func spelling() {
        let known = ["commit", "status", "stats", "ls"]
        #expect(Spelling.nearest(to: "comit", in: known) == "commit")
        #expect(Spelling.nearest(to: "stat", in: known) == "stats")
        #expect(Spelling.nearest(to: "push", in: known) == nil)
        #expect(Spelling.distance("", "abc") == 3)
        #expect(Spelling.distance("kitten", "sitting") == 3)
    }

    @Test("conflicts are grouped by what they are in")
    func conflicts() {
        #expect(MergeReport.split("expert 1/base/17") == ("expert 1/base", "17"))
        #expect(MergeReport.split("router row 1/base/keys[3]") == ("router row 1/base/keys", "3"))
        #expect(MergeReport.split("trunk a.weight") == ("trunk", "a.weight"))
        #expect(MergeReport.split("layout") == ("layout", ""))
    }
}
