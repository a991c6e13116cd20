internal import Cambium
internal import Reporting

extension [UnusedInfo] {
    /// One line for each, of what a run leaves out.
    var lines: [String] {
        map { unused in
            var counts: [String] = []
            if unused.tensors > 1 { counts.append(Quantity.count(unused.tensors, "tensor")) }
            if unused.experts > 0 { counts.append(Quantity.count(unused.experts, "expert")) }
            let what = counts.isEmpty ? "" : " (\(counts.joined(separator: ", ")))"
            return "not used: \(unused.name)\(what): \(unused.reason)"
        }
    }
}
