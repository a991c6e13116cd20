/// The names of tensors that are a matrix together, and alone say nothing of it: its codes, their scales and what goes with
/// them, as ``CodedWeights`` reads them.
package enum CodedTensorNames {
    /// By what the name of the scales ends with, what the names of the others end with.
    private static let endings: [(scales: String, others: [String])] = [
        (".weight_scale_inv", [".weight"]),
        (".weight_scale", [".weight", ".weight_packed", ".weight_shape"]),
        (".scales", [".qweight", ".qzeros", ".g_idx"]),
    ]

    /// The matrices among some tensors, each by the names of its tensors.
    package static func matrices(_ names: Set<String>) -> [[String]] {
        names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }.compactMap { name in
            for (scales, others) in endings where name.hasSuffix(scales) {
                let stem = name.dropLast(scales.count)
                let found = others.map { stem + $0 }.filter(names.contains)
                return found.isEmpty ? nil : [name] + found
            }
            return nil
        }
    }
}
