internal import ArgumentParser
internal import Cambium

/// How conflicts are settled, by name.
enum PolicyOption: String, ExpressibleByArgument, CaseIterable {
    case none
    case ours
    case theirs
    case mean
    case ties
    case task
    case fisher
    case regmean

    /// The façade's policy of the same name.
    var policy: MergePolicy {
        switch self {
        case .none: .none
        case .ours: .ours
        case .theirs: .theirs
        case .mean: .mean
        case .ties: .ties
        case .task: .task
        case .fisher: .fisher
        case .regmean: .regmean
        }
    }
}
