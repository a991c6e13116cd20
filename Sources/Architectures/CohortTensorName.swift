/// How the tensors of a cohort are named: `cohorts.NAME.TENSOR`, and `cohorts.NAME.cohort`, which says what it is.
package enum CohortTensorName {
    /// What the names of all cohorts' tensors begin with.
    package static let prefix = "cohorts."
    private static let suffix = ".cohort"

    /// What the names of one cohort's tensors begin with.
    package static func prefix(of cohort: String) -> String { "\(prefix)\(cohort)." }

    /// The tensor that describes a cohort.
    package static func description(of cohort: String) -> String { prefix + cohort + suffix }

    /// The cohort that a tensor describes, or nil when it describes none.
    package static func cohort(describedBy tensor: String) -> String? {
        guard tensor.hasPrefix(prefix), tensor.hasSuffix(suffix),
            tensor.utf8.count > prefix.utf8.count + suffix.utf8.count
        else { return nil }
        return String(tensor.dropFirst(prefix.count).dropLast(suffix.count))
    }

    /// The cohort, of some, that a tensor belongs to: their names may have dots, and the longest that fits is meant.
    package static func cohort(of tensor: String, among names: some Sequence<String>) -> String? {
        names.filter { tensor.hasPrefix("\(prefix)\($0).") }
            .max { $0.utf8.count < $1.utf8.count }
    }
}
