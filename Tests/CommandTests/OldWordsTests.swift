import Foundation
import Testing

@testable import CambiumCommand

/// Words that the command line took before.
@Suite("Old words of the command line")
struct OldWordsTests {
    @Test("go on working as options and as values, and nothing else is changed")
    func options() throws {
        let cases: [([String], [String])] = [
            (["train", "--cohort", "sw"], ["train", "--adapter", "sw"]),
            (["train", "--cohort=sw"], ["train", "--adapter=sw"]),
            (["train", "-m", "--cohort"], ["train", "-m", "--cohort"]),
            (["generate", "--prompt", "--cohort"], ["generate", "--prompt", "--cohort"]),
            (["train", "--", "--cohort"], ["train", "--", "--cohort"]),
            (["train", "cohort", "--cohorts"], ["train", "cohort", "--cohorts"]),
        ]
        for (old, new) in cases { #expect(OldWords.renewed(old) == new) }
        #expect(EvidenceKind(argument: "moments") == .gramSums)
        #expect(EvidenceKind(argument: "gram") == .gramSums)
        #expect(EvidenceKind(argument: "gramSums") == nil)
        #expect(TargetOption(argument: "cohort") == .adapter)
    }

    @Test("run: evidence is added by an old option and listed in today's words")
    func session() throws {
        let session = try Session.base()
        try Data("english text to count".utf8).write(to: URL(fileURLWithPath: session.path("text")))
        try session.expect("evidence", "add", "--cohort", "base", "--text", "text")
        let list = try session.expect("evidence", "ls", "--json")
        let records = try #require(try list.json["evidence"] as? [[String: Any]])
        #expect(records.map { $0["adapter"] as? String } == ["base"])
        // A pool is named by either word.
        for word in ["pool", "cohort"] {
            try session.expect("restore", "HEAD:\(word) 0/base")
        }
    }
}
