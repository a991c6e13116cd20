internal import ArgumentParser
internal import Cambium

/// How conflicts are settled, by name.
struct PolicyOption: ExpressibleByArgument, CustomStringConvertible {
    let policy: MergePolicy

    init(_ policy: MergePolicy) { self.policy = policy }

    init?(argument: String) {
        guard let policy = MergePolicy(rawValue: argument) else { return nil }
        self.policy = policy
    }

    static var allValueStrings: [String] { MergePolicy.allCases.map(\.rawValue) }

    var description: String { policy.rawValue }
}
