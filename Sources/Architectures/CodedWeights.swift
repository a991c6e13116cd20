package import Elements

/// What a config.json says of weights that are kept as codes and scales: how, under which names, and where not.
package struct CodedWeights: Sendable, Hashable {
    /// The method of our own forms (``BlockForm``), and the type of their scales.
    package static let ownMethod = "cambium"
    static let scaleType = "float16"

    /// As `quant_method` spells it.
    package let method: String
    package let coding: WeightCoding
    /// Behind a matrix's name: of the codes, of their scales, and of what only repeats the shape.
    package let codes, scales: String
    /// Zero points; nil for none.
    package let zeros: String?
    package let shape: String?
    /// What only says which inputs share a scale, when these are adjacent ones; nil for none.
    package let groups: String?
    /// Whether the codes of experts alone, all of a layer in one tensor, gate and up by turns, with biases.
    package let isOfStackedExperts: Bool
    /// Modules that are said to have no codes, by their names or by what these begin or end with.
    package let exempt: [String]

    init(
        method: String, _ coding: WeightCoding, codes: String, scales: String, zeros: String? = nil,
        shape: String? = nil, groups: String? = nil, isOfStackedExperts: Bool = false,
        exempt: [String] = []
    ) {
        self.method = method
        self.coding = coding
        self.codes = codes
        self.scales = scales
        self.zeros = zeros
        self.shape = shape
        self.groups = groups
        self.isOfStackedExperts = isOfStackedExperts
        self.exempt = exempt
    }

    /// Whether a module is said to have no codes.
    ///
    /// Patterns, which begin with `re:` or have a star, say nothing here: of what they exempt the weights are there
    /// and are read.
    package func exempts(_ module: String) -> Bool {
        exempt.contains {
            module == $0 || module.hasPrefix($0 + ".") || module.hasSuffix("." + $0)
        }
    }

    /// A module of a layer's experts that is said to have no codes: a matrix of one of them, or all experts; nil for none.
    ///
    /// - Parameters:
    ///   - names: Of their tensors, with `{e}` in the place of an expert's number.
    ///   - count: Of experts.
    package func exemptExperts(_ names: [String], count: Int) -> String? {
        guard !exempt.isEmpty else { return nil }
        let placeholder = "{e}"
        // Of other numbers nothing is said.
        let stated = exempt.flatMap { $0.split(separator: ".").compactMap { Int($0) } }
        let numbers = Set(stated + [0]).filter { $0 >= 0 && $0 < max(count, 1) }.sorted()
        for name in Set(names).sorted(by: isBefore) {
            let parts = name.split(separator: ".")
            let modules: [String]
            if let place = parts.firstIndex(where: { $0 == placeholder }) {
                let matrix = parts.dropLast().joined(separator: ".")
                modules =
                    [parts[..<place].joined(separator: ".")]
                    + numbers.flatMap { number in
                        [parts[...place].joined(separator: "."), matrix].map {
                            $0.replacing(placeholder, with: "\(number)")
                        }
                    }
            } else {
                let matrix = name.prefix(upTo: name.lastIndex(of: "_") ?? name.endIndex)
                modules = [parts.dropLast().joined(separator: "."), String(matrix)]
            }
            if let module = modules.first(where: exempts) { return module }
        }
        return nil
    }

    /// A tensor of an expert.
    package struct ExpertPart: Sendable, Hashable {
        package enum Content: Sendable, Hashable {
            case codes, scales, zeros
            /// A repetition of the shape.
            case shape
            /// For each input the number of its group.
            case groups
            case bias
        }

        /// Behind the expert's number, or behind `experts.` of stacked ones.
        package let name: String
        /// The matrix that it belongs to, by its place in ``expertParts(of:)``'s argument.
        package let matrix: Int
        package let content: Content
    }

    /// The tensors of an expert in the order in which it is stored.
    ///
    /// - Parameter matrices: Gate, up and down, or gate-up and down, as the family names them.
    package func expertParts(of matrices: [String]) -> [ExpertPart] {
        matrices.enumerated().flatMap { number, matrix in
            let stem = ExpertPartNames.stem(matrix)
            let separator = isOfStackedExperts ? "_" : "."
            var parts = [(codes, ExpertPart.Content.codes), (scales, .scales)]
            if let zeros { parts.append((zeros, .zeros)) }
            if let shape { parts.append((shape, .shape)) }
            if let groups { parts.append((groups, .groups)) }
            if isOfStackedExperts { parts.append(("bias", .bias)) }
            return parts.map { name, content in
                ExpertPart(name: stem + separator + name, matrix: number, content: content)
            }.sorted { isBefore($0.name, $1.name) }
        }
    }
}
