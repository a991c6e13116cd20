internal import ArgumentParser
internal import BenchmarkSupport
internal import SimulatedRemotes

/// Runs the protocol of remotes over a simulated object store in virtual time; `tools/bench remote-simulation` prints
/// its figures.
@main
struct Simulation: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remote-simulation", subcommands: [Schedules.self])
}

/// Random schedules, each checked.
struct Schedules: ParsableCommand {
    @Option(help: "The first seed.") var first: UInt64 = 1
    @Option(help: "How many.") var count: UInt64 = 1_000
    @Option(help: "Ends after so many that found something.") var most = 20

    func run() throws {
        var sums: [String: Int] = [:]
        var requests = 0
        var wrong = 0
        let (spent, _) = try seconds {
            for seed in first..<(first + count) where wrong < most {
                let report = try Schedule(seed: seed).run()
                requests += report.requests
                sums.merge(report.done, uniquingKeysWith: +)
                guard !report.faults.isEmpty else { continue }
                wrong += 1
                print("seed \(seed): \(report.faults.count) faults")
                for fault in report.faults.prefix(4) { print("    \(fault)") }
            }
        }
        for (what, count) in sums.sorted(by: { $0.key < $1.key }) { print("\(what): \(count)") }
        print("\(requests) requests in \(spent) s; \(wrong) of \(count) seeds found something")
        if wrong > 0 { throw ExitCode.failure }
    }
}
