import Foundation
import Testing

@Suite("Routes and quantised routers")
struct RouteTests {
    @Test("every byte has a route in every layer, as lines and as JSON")
    func route() throws {
        let session = try Session.base()
        let text = try session.expect("route", "main", "--prompt", "ab\n")
        try #require(text.lines.count == 6)
        #expect(text.lines[0] == "0 'a' layer 0" && text.lines[4].hasPrefix("2 0x0a layer 0"))
        let json = try session.expect("route", "main", "--prompt", "ab\n", "--json")
        try #require(json.lines.count == 3)
        for (position, line) in json.lines.enumerated() {
            let route = try object(Data(line.utf8))
            #expect(route["position"] as? Int == position && route["layer"] as? Int == 0)
            let heads = try #require(route["heads"] as? [[String: Any]])
            let experts = try #require(heads.first?["experts"] as? [Int])
            let weights = try #require(heads.first?["weights"] as? [Double])
            #expect(heads.count == 1 && Set(experts).count == 2 && weights.count == 2)
            #expect(abs(weights[0] + weights[1] - 1) < 1e-6 && weights[0] >= weights[1])
            #expect(experts.allSatisfy { (0..<16).contains($0) })
        }
        let quiet = try session.expect("route", "--prompt", "a", "-q")
        #expect(quiet.lines.count == 1 && quiet.text.hasPrefix("0 0 "))
    }

    @Test("a text longer than the context goes on, and is read from a file")
    func longText() throws {
        let session = try Session.base()
        try Data(repeating: 0x41, count: 40).write(
            to: URL(fileURLWithPath: session.path("text")))
        let run = try session.expect("route", "--text", "text", "--json")
        let positions = try run.lines.map { try object(Data($0.utf8))["position"] as? Int }
        #expect(positions == Array(0..<40))
    }

    @Test("what cannot be routed is told")
    func errors() throws {
        let session = try Session.base()
        #expect(try session.run("route", "--prompt", "").status == 64)
        #expect(try session.run("route").status == 64)
        #expect(try session.run("route", "--prompt", "a", "--text", "b").status == 64)
        let layer = try session.run("route", "--prompt", "a", "--layer", "7")
        #expect(layer.status == 2 && layer.errors.contains("those that do: 0"))
    }

    @Test("a quantised router is a commit that runs, exports and comes back the same")
    func quantise() throws {
        let session = try Session.base()
        let run = try session.expect("quantize-router", "--branch", "fast", "-m", "int8")
        #expect(run.text.hasPrefix("fast "))
        let scales = try session.expect("cat", "fast:model.layers.0.peer.sub_keys.scale")
        #expect(scales.output.count == 2 * 4 * 4)
        try session.expect("generate", "fast", "--prompt", "abc", "-n", "5")
        try session.expect("export", "fast", "out")
        let again = try session.expect("commit", "out", "--branch", "fast", "-m", "again")
        #expect(again.text.hasPrefix("nothing changed"), "\(again.text)")
        try session.expect("export", "main", "back")
        let names = ["base", "back"].map { session.path($0) + "/model.safetensors" }
        #expect(FileManager.default.contentsEqual(atPath: names[0], andPath: names[1]))
        let twice = try session.expect("quantize-router", "--branch", "fast", "-m", "int8")
        #expect(twice.text.hasPrefix("nothing changed"))
        #expect(try session.expect("verify").status == 0)
    }

    @Test("a layer that does not exist is told")
    func refused() throws {
        let session = try Session.base()
        let run = try session.run("quantize-router", "--layer", "3", "-m", "int8")
        #expect(run.status == 2 && run.errors.contains("no expert layer 3"))
    }
}
