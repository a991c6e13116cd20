import Foundation
import Testing

@Suite("generate, for several prompts")
struct GenerateTests {
    @Test("several prompts come in order, each as it would alone")
    func prompts() throws {
        let session = try Session.history()
        try session.write("cd\nef\n", to: "prompts.txt")
        let draw = ["-n", "20", "--temperature", "0.9", "--seed", "7"]
        let all = try session.start(
            ["generate", "--prompt", "ab", "--prompts", "prompts.txt", "--threads", "2"] + draw
        ).end()
        #expect(all.status == 0 && all.errors == "")
        var expected = Data()
        for prompt in ["ab", "cd", "ef"] {
            let one = try session.start(["generate", "--prompt", prompt, "--threads", "1"] + draw)
                .end()
            #expect(one.output.count == 20)
            expected += one.output + Data("\n".utf8)
        }
        #expect(all.output == expected)
    }

    @Test("with --json each text is one object a line, with the number of its prompt")
    func json() throws {
        let session = try Session.history()
        let run = try session.expect(
            "generate", "--prompt", "ab", "--prompt", "cd", "-n", "5", "--json")
        let objects = try run.lines.map { try object(Data($0.utf8)) }
        #expect(objects.map { $0["prompt"] as? Int } == [1, 2])
        #expect(objects.allSatisfy { $0["end"] as? String == "count" && $0["text"] is String })
        let one = try session.expect("generate", "--prompt", "ab", "-n", "5", "--json").json
        #expect(one["prompt"] == nil && one["text"] as? String == objects[0]["text"] as? String)
    }

    @Test("a stop text ends the output before it")
    func stop() throws {
        let session = try Session.history()
        let draw = ["generate", "--prompt", "ab", "-n", "40", "--temperature", "1", "--seed"]
        // A text of the noise model with two adjacent ASCII bytes that an argument can hold.
        for seed in 1...20 {
            let whole = [UInt8](try session.start(draw + ["\(seed)"]).end().output)
            guard
                let place = (5..<38).first(where: {
                    whole[$0...$0 + 1].allSatisfy { (33...126).contains($0) }
                })
            else { continue }
            let stop = Array(whole[place...place + 1])
            let first = try #require((0..<39).first { Array(whole[$0...$0 + 1]) == stop })
            let words = ["--stop", String(decoding: stop, as: UTF8.self)]
            let cut = try session.start(draw + ["\(seed)"] + words).end()
            #expect(cut.status == 0 && [UInt8](cut.output) == Array(whole[..<first]))
            return
        }
        Issue.record("no seed gave two adjacent ASCII bytes")
    }

    @Test(
        "words that make no sense are refused",
        arguments: [
            ["-n", "1"], ["--prompt", "-", "--prompts", "-"], ["--prompt", "a", "--stop", ""],
            ["--prompt", "a", "--threads", "0"],
        ])
    func usage(_ words: [String]) throws {
        #expect(try Session.history().start(["generate"] + words).end().status == 64)
    }

    @Test("blank lines part prompts, and lines may end as Windows ends them")
    func lines() throws {
        let session = try Session.history()
        try session.write("cd\r\n\r\n\nef\n", to: "prompts.txt")
        try session.write("cd\nef", to: "plain.txt")
        let run = try session.expect("generate", "--prompts", "prompts.txt", "-n", "4")
        let plain = try session.expect("generate", "--prompts", "plain.txt", "-n", "4")
        #expect(run.output == plain.output && !run.output.isEmpty)
        try session.write("\r\n\n", to: "blank.txt")
        let blank = try session.run("generate", "--prompts", "blank.txt")
        #expect(blank.status == 64 && blank.errors.contains("no line with text"))
    }
}
