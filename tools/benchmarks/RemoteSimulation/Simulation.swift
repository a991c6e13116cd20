internal import ArgumentParser
internal import BenchmarkSupport
internal import SimulatedRemotes

/// Runs the protocol of remotes over a simulated object store in virtual time; `tools/bench remote-simulation` prints
/// its figures.
@main
struct Simulation: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remote-simulation",
        subcommands: [Schedules.self, RoundsCommand.self, GrowthCommand.self])
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
        for (what, count) in sums.sorted(by: { $0.key < $1.key }) {
            print("event.\(what)\t\(count)")
        }
        print("schedules\t\(count)\nrequests\t\(requests)\nwrong\t\(wrong)\nseconds\t\(spent)")
        if wrong > 0 { throw ExitCode.failure }
    }
}

/// Thousands of pushers for days; see docs/scale.md.
struct RoundsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "rounds")

    @Option var pushers = 10_000
    @Option var branches = 1_000
    @Option(help: "Of each push.") var commits = 100
    @Option var days = 4
    @Option var seed: UInt64 = 1

    func run() throws {
        var rounds = Rounds()
        rounds.pushers = pushers
        rounds.branches = branches
        rounds.commits = commits
        rounds.days = days
        rounds.seed = seed
        let (spent, report) = try seconds { try rounds.run { print($0) } }
        var figures: Figures = ["seconds": spent, "commits": Double(report.commits)]
        for (name, costs) in report.costs {
            var costs = costs
            figures.merge(costs.figures(name)) { $1 }
        }
        for (name, count) in report.events { figures["event.\(name)"] = Double(count) }
        for kind in SimulatedTransport.Kind.allCases {
            figures["requests.\(kind)"] = Double(report.usage[kind])
        }
        figures["bytes.sent"] = Double(report.usage.sent)
        figures["bytes.received"] = Double(report.usage.received)
        for (day, state) in report.days.enumerated() {
            figures["day \(day + 1).keys"] = Double(state.keys)
            figures["day \(day + 1).bytes"] = Double(state.bytes)
        }
        figures["merged.requests"] = Double(report.merged.requests)
        figures["merged.seconds"] = report.merged.seconds
        figures["merged.entry"] = Double(report.merged.entry)
        figures["merged.bundles"] = Double(report.merged.bundles)
        figures["faults"] = Double(report.faults.count)
        for (name, value) in figures.sorted(by: { $0.key < $1.key }) { print("\(name)\t\(value)") }
        for fault in report.faults.prefix(10) { print("fault: \(fault)") }
        if !report.faults.isEmpty { throw ExitCode.failure }
    }
}

/// One branch that grows; see docs/scale.md.
struct GrowthCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "history")

    @Option var pushes = 100_000

    func run() throws {
        var growth = Growth()
        growth.pushes = pushes
        let faults = try growth.run { point in
            let name = "\(point.pushes) pushes"
            print("\(name): bundles\t\(point.bundles)\n\(name): entry bytes\t\(point.entry)")
            print("\(name): push requests\t\(point.push.requests)")
            print("\(name): push requests, greatest\t\(point.push.greatest)")
            print("\(name): push bytes sent\t\(point.push.sent)")
            print("\(name): push bytes received\t\(point.push.received)")
            print("\(name): clone requests\t\(point.clone.requests)")
            print("\(name): clone bytes received\t\(point.clone.received)")
            print("\(name): clone seconds, 8 at a time\t\(point.clone.narrow)")
            print("\(name): clone seconds, 64 at a time\t\(point.clone.wide)")
        }
        for fault in faults.prefix(10) { print("fault: \(fault)") }
        if !faults.isEmpty { throw ExitCode.failure }
    }
}
