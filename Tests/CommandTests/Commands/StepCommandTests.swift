import Foundation
import Testing

/// A commit that changes a little of a checkpoint.
@Suite("Steps on the command line")
struct StepCommandTests {
    /// A checkpoint of one tensor of 40,000 F32, of which every `distance`th has this value.
    private func write(_ value: Float, every distance: Int, to name: String, _ session: Session)
        throws
    {
        let count = 40_000
        var header = Data(
            #"{"w":{"dtype":"F32","shape":[400,100],"data_offsets":[0,160000]}}"#.utf8)
        header.append(Data(repeating: 0x20, count: (8 - header.count % 8) % 8))
        var data = Data((0..<8).map { UInt8(header.count >> (8 * $0) & 255) }) + header
        for index in 0..<count {
            let number = index % distance == 0 ? value : Float(index) * 0.001
            let bits = number.bitPattern
            data.append(contentsOf: (0..<4).map { UInt8(bits >> (8 * $0) & 255) })
        }
        try FileManager.default.createDirectory(
            atPath: session.path(name), withIntermediateDirectories: true)
        try data.write(to: URL(filePath: session.path("\(name)/model.safetensors")))
    }

    @Test(
        "a commit says what it takes, and each version is exported byte for byte, after a repack too"
    )
    func steps() throws {
        let session = try Session()
        session.environment["CAMBIUM_STORE"] = session.path("S")
        try session.expect("init", "S")
        let names = (0..<18).map { "step\($0)" }
        for (number, name) in names.enumerated() {
            try write(Float(number), every: 200, to: name, session)
            let run = try session.expect("commit", name, "-m", "step \(number)")
            #expect(run.text.contains("as what changed") == (number > 0), "\(run.text)")
        }
        try write(50, every: 1, to: "other", session)
        let other = try session.expect("commit", "other", "-m", "other", "--json").json
        #expect(try #require(other["storedBytes"] as? Int) > 160_000)
        for repacks in [false, true] {
            if repacks { try session.expect("repack") }
            for (number, name) in names.enumerated() {
                try session.expect("export", "main~\(18 - number)", "out\(number)", "--force")
                let written = try Data(
                    contentsOf: URL(filePath: session.path("out\(number)/model.safetensors")))
                let given = try Data(
                    contentsOf: URL(filePath: session.path("\(name)/model.safetensors")))
                #expect(written == given, "step \(number)")
            }
            #expect(try session.expect("verify").text.contains("no faults"))
        }
    }
}
