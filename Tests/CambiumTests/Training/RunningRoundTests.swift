import Elements
import Files
import Snapshots
import TestSupport
import Testing

@testable import Cambium

@Suite("Rounds under way")
struct RunningRoundTests {
    private func note(_ round: RunningRound, _ steps: ClosedRange<Int>) {
        for step in steps {
            round.note(
                Progress(
                    "training", step, steps.upperBound,
                    figures: ["step": Double(step), "loss": 4 / Double(step)]))
        }
    }

    @Test("a round under way is told to others, and no more when it has ended")
    func told() throws {
        try withStore { (snapshots) throws in
            let store = Store(snapshots, snapshots.directory)
            #expect(try store.runningRounds().isEmpty)
            let round = RunningRound(
                in: snapshots.directory, branch: "main", message: "round 1", started: 7,
                interval: .zero)
            note(round, 1...4)
            let found = try #require(try store.runningRounds().first)
            #expect(found.branch == "main" && found.message == "round 1" && found.started == 7)
            #expect(found.steps == 4 && found.curve.map(\.value) == [4, 2, 4.0 / 3, 1])
            note(round, 5...900)
            let long = try #require(try store.runningRounds().first)
            #expect(long.steps == 900 && (100...400).contains(long.curve.count))
            round.end()
            #expect(try store.runningRounds().isEmpty)
            #expect(try directoryContents(snapshots.directory + "/running").isEmpty)
        }
    }

    @Test("what a killed round left is not told, and goes when the next one begins")
    func killed() throws {
        try withStore { (snapshots) throws in
            let folder = snapshots.directory + "/running"
            try makeStoreFolder(folder)
            for name in ["1.round", "1.round.lock", "2.round", "other.txt"] {
                try writeFile(Array("{}".utf8), to: "\(folder)/\(name)")
            }
            let store = Store(snapshots, snapshots.directory)
            #expect(try store.runningRounds().isEmpty)
            let round = RunningRound(
                in: snapshots.directory, branch: "main", message: "", started: 0, interval: .zero)
            note(round, 1...2)
            #expect(try store.runningRounds().count == 1)
            round.end()
            #expect(try directoryContents(folder) == ["other.txt"])
        }
    }
}
