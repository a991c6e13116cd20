import Foundation
import Objects
import Snapshots
import TestSupport
import Testing

@Suite("Random operations")
struct RandomOperationsTests {
    /// Set CAMBIUM_RANDOM_STEPS for longer runs.
    private static let steps =
        ProcessInfo.processInfo.environment["CAMBIUM_RANDOM_STEPS"].flatMap { Int($0) } ?? 25

    @Test("a store equals its model in memory after every step", arguments: 0..<4)
    func run(round: Int) throws {
        var random = SeededGenerator.announced("random operations, round \(round)")
        // With a given seed, still four different runs.
        for _ in 0..<round { random = SeededGenerator(seed: random.next()) }
        try withScratchDirectory { directory in
            var operations = try RandomOperations(directory + "/store", random)
            for _ in 0..<Self.steps {
                do {
                    try operations.step()
                    try operations.check()
                } catch {
                    Issue.record("\(error); steps: \(operations.log)")
                    return
                }
            }
            print(
                "\(Self.steps) steps: \(operations.models.count) commits, \(operations.compressed) "
                    + "packs compressed, \(operations.crissCrosses) criss-cross merges")
        }
    }
}
