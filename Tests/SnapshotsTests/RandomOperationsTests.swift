import Objects
import Snapshots
import TestSupport
import Testing

@Suite("Random operations")
struct RandomOperationsTests {
    @Test("a store equals its model in memory after every step", arguments: 0..<4)
    func run(round: Int) throws {
        let random = SeededGenerator.announced("random operations, round \(round)")
        try withScratchDirectory { directory in
            var operations = try RandomOperations(directory + "/store", random)
            for _ in 0..<60 {
                do {
                    try operations.step()
                    try operations.check()
                } catch {
                    Issue.record("\(error); steps: \(operations.log)")
                    return
                }
            }
        }
    }
}
