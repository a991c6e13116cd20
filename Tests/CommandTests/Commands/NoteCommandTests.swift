import Foundation
import Testing

@Suite("note and round on the command line")
struct NoteCommandTests {
    @Test("notes are added, listed, told by log and show, sorted by, and dropped")
    func notes() throws {
        let session = try Session.history()
        let id = try session.expect("log", "-n1", "-q", "left").text
        let added = try session.expect(
            "note", "left", "--metric", "acc=0.99", "--text", "on the new test set")
        #expect(added.text.hasPrefix("noted "))
        try session.expect("note", "right", "--metric", "acc=0.5")
        #expect(try session.expect("log", "-n1", "-q", "left").text == id)
        let log = try session.expect("log", "left", "-n1").text
        #expect(log.contains("acc 0.99  noted just now by Ada") && log.contains("new test set"))
        #expect(try session.expect("show", "left").text.contains("on the new test set"))
        let json = try session.expect("show", "left", "--json").json
        let notes = try #require(json["notes"] as? [[String: Any]])
        #expect(notes.count == 1 && (notes[0]["metrics"] as? [String: Double]) == ["acc": 0.99])
        #expect((json["metrics"] as? [String: Double])?.isEmpty == true)
        let sorted = try session.expect("log", "--all", "--oneline", "--sort=-acc").lines
        #expect(sorted[0].hasSuffix("round: left") && sorted[1].hasSuffix("round: right"))
        let list = try session.expect("note", "left", "--json").json
        let note = try #require((list["notes"] as? [[String: Any]])?.first?["id"] as? String)
        #expect(try session.run("note", "left", "--drop", "ffff").status == 2)
        try session.expect("note", "left", "--drop", String(note.prefix(8)))
        #expect(try session.expect("note", "left").text.contains("has no notes"))
        #expect(try session.run("note", "left", "--text", "").status == 64)
        try session.expect("backup", "copy")
        try session.expect("note", "main", "--text", "over there", "-C", "copy")
        #expect(
            try session.expect("note", "--from", "copy").text == "1 note of copy was new here\n")
        #expect(try session.expect("note", "main").text.contains("over there"))
        #expect(try session.run("note").status == 64)
        #expect(try session.run("note", "main", "--from", "copy").status == 64)
        #expect(try session.run("note", "none", "--text", "x").status == 2)
    }

    @Test("stopped rounds are listed, shown with how to go on, and dropped")
    func rounds() throws {
        let session = try Session()
        session.environment["CAMBIUM_STORE"] = session.path("S")
        try session.expect("init", "S")
        try session.write(String(repeating: "the cat sat on the mat. ", count: 200), to: "a b.txt")
        try session.write(
            """
            {"architecture": "peer-lm", "vocab_size": 256, "hidden_size": 16, "num_layers": 1,
             "num_heads": 2, "context_length": 16, "ffn_size": 16, "rms_norm_eps": 1e-5,
             "rope_theta": 10000, "peer_layers": [0],
             "peer": {"sub_keys": 4, "heads": 1, "top_k": 2, "key_size": 8}}
            """, to: "config.json")
        #expect(try session.expect("round", "ls").text == "no round was stopped\n")
        let run = try session.shell(
            """
            "$cambium" train --init config.json --data 'a b.txt' --steps 10000000 --progress json 2>log &
            job=$!
            for _ in $(seq 1200); do grep -q '"loss"' log && break; sleep 0.05; done
            kill -INT $job
            for _ in $(seq 1200); do kill -0 $job 2>/dev/null || break; sleep 0.05; done
            kill -KILL $job 2>/dev/null; wait $job
            """)
        #expect(run.status == 130)
        // Figures of the progress are numbers.
        let log = try String(contentsOfFile: session.path("log"), encoding: .utf8)
        let line = try #require(log.split(separator: "\n").first { $0.contains("\"loss\"") })
        let progress = try object(Data(line.utf8))["progress"] as? [String: Any]
        let figures = try #require(progress?["figures"] as? [String: Double])
        #expect(Set(figures.keys) == ["step", "loss", "seconds", "bytes"])
        #expect(try #require(figures["bytes"]) > 0)
        #expect(try session.expect("round", "ls").text.hasPrefix("main  "))
        let shown = try session.expect("round", "show", "main").text
        #expect(shown.contains("train.rate = 0.003") && shown.contains("a b"))
        #expect(
            shown.contains("cambium train --init config.json --data 'a b.txt' --steps 10000000"))
        let json = try session.expect("round", "ls", "--json").json
        let rounds = try #require(json["rounds"] as? [[String: Any]])
        #expect(rounds.count == 1 && (rounds[0]["curve"] as? [Any])?.isEmpty == false)
        #expect(try session.run("round", "show", "other").status == 2)
        try session.expect("round", "drop", "main")
        #expect(try session.run("round", "drop", "main").status == 2)
        try session.expect(
            "train", "--init", "config.json", "--data", "a b.txt", "--steps", "3", "-m", "base")
        let curve = try session.expect("show", "--curve", "--json").json
        #expect((curve["curve"] as? [[String: Any]])?.map { $0["step"] as? Int } == [1, 2, 3])
        #expect(try session.expect("show", "--curve").lines.count == 4)
        #expect(try session.run("show", "main:0/1", "--curve").status == 64)
    }
}
