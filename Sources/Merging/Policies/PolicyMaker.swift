internal import Elements
internal import Evidence
internal import Objects
internal import Routing
internal import Snapshots

/// Makes the policies of a merge.
struct PolicyMaker {
    let store: SnapshotStore
    let numbers: PolicyNumbers
    /// The target's commit and those that are merged into it.
    let sides: [ObjectID]
    /// One per side.
    let weights: [Double]

    /// What settles the conflicts of a merge; nil to list them.
    ///
    /// - Throws: `usage` for settings that cannot be, and for a policy that needs what no side has.
    func make(_ policy: PolicyKind) throws -> (any ConflictPolicy)? {
        try plain(policy).map { try keepingCodes($0) }
    }

    /// Scales beside codes are no numbers to compute with.
    private func keepingCodes(_ policy: any ConflictPolicy) throws -> any ConflictPolicy {
        guard !policy.takesSide else { return policy }
        return WholeCodesPolicy.keeping(
            policy, try sides.map { try store.tree(store.commit($0).tree) })
    }

    private func plain(_ policy: PolicyKind) throws -> (any ConflictPolicy)? {
        guard numbers.density > 0, numbers.density <= 1 else {
            throw CambiumError(
                .usage, "a density of \(numbers.density); give a share above 0, at most 1")
        }
        guard numbers.scale.isFinite else {
            throw CambiumError(.usage, "a scale of \(numbers.scale); give a finite number")
        }
        switch policy {
        case .none: return nil
        case .ours: return OursPolicy()
        case .theirs: return TheirsPolicy()
        case .mean: return MeanPolicy(weights: weights)
        case .ties: return TiesPolicy(density: numbers.density, scale: numbers.scale)
        case .task: return TaskPolicy(scale: numbers.scale)
        case .fisher: return try fisher()
        case .regmean: return try regMean()
        case .alternatives: return AlternativesPolicy()
        case .solve:
            throw CambiumError(
                .usage,
                "solve is no answer to one conflict: it solves all changed experts and rows together; "
                    + "name it by --policy")
        }
    }

    /// What settles the conflicts of a merge, with what sides recorded of one object added up.
    ///
    /// `ours` and `theirs` take gradients with the values that they are of.
    ///
    /// - Parameter solve: What stands in for conflicts until they are solved, of the policy of that name.
    func makeSumming(
        _ policy: PolicyKind, _ solve: SolvePolicy?
    ) throws -> (any ConflictPolicy)? {
        let chosen = try solve.map { try keepingCodes($0) } ?? make(policy)
        switch policy {
        case .ours, .theirs, .fisher: return chosen
        case .none, .mean, .ties, .task, .regmean, .alternatives, .solve: break
        }
        for side in sides {
            let files = try store.tree(store.commit(side).tree).files
            if files.keys.contains(where: { $0.hasPrefix(FisherFile.prefix) }) {
                return SquaredGradientSums(chosen, name: policy.rawValue)
            }
        }
        return chosen
    }

    private func fisher() throws -> FisherPolicy {
        var trees: [Tree] = []
        var gradients: [[ObjectID: [Float]]] = []
        for side in sides {
            let tree = try store.tree(store.commit(side).tree)
            var recorded: [ObjectID: [Float]] = [:]
            for (name, file) in tree.files where name.hasPrefix(FisherFile.prefix) {
                guard let id = ObjectID(hex: String(name.dropFirst(FisherFile.prefix.count)))
                else { continue }
                let bytes = try store.data(of: file).1
                recorded[id] = try FisherFile.decoded(bytes, name)
            }
            trees.append(tree)
            gradients.append(recorded)
        }
        guard gradients.contains(where: { !$0.isEmpty }) else {
            throw CambiumError(
                .usage,
                "no side of the merge has recorded squared gradients, which --policy fisher weighs by; "
                    + "add them to each side: cambium evidence add --kind fisher --branch NAME --text "
                    + "FILE, or take --policy mean")
        }
        return FisherPolicy(weights: weights, trees: trees, gradients: gradients)
    }

    private func regMean() throws -> RegMeanPolicy {
        var snapshots: [MappedSnapshot] = []
        var all: [[NamedContribution]] = []
        for side in sides {
            snapshots.append(try store.map(side))
            all.append(try snapshots[snapshots.count - 1].evidence())
        }
        // What every side has says nothing of their differences.
        let shared = all.dropFirst().reduce(Set(all[0].map(\.id))) { $0.intersection($1.map(\.id)) }
        var inputs: [[UInt32: RegMeanPolicy.Inputs]] = []
        for (snapshot, records) in zip(snapshots, all) {
            let records = records.filter { !shared.contains($0.id) }
            let own = records.gramSums
            var tables: [UInt32: RegMeanPolicy.Inputs] = [:]
            for (layer, some) in Dictionary(grouping: own, by: \.source.layer) {
                tables[layer] = try counted(.corrupt) {
                    try RegMeanPolicy.Inputs(some)
                }
            }
            for layer in try KeptRoutes.united(of: snapshot, records)?.layers ?? [] {
                tables[layer.number] = RegMeanPolicy.Inputs(layer)
            }
            inputs.append(tables)
        }
        guard inputs.contains(where: { !$0.isEmpty }) else {
            throw CambiumError(
                .usage,
                "no side of the merge has Gram sums or routes of its own, which --policy regmean solves from; "
                    + "add some on each side: cambium evidence add --kind gram --layer NUMBER --adapter "
                    + "NAME --text FILE, for linear routers --kind routes --text FILE, or take --policy mean"
            )
        }
        return RegMeanPolicy(weights: weights, inputs: inputs)
    }
}

extension RegMeanPolicy.Inputs {
    /// Of routes: the products of the features alone, which come first.
    fileprivate init(_ layer: RouteContribution.Layer) {
        let width = layer.quantiser.width
        self.init(
            scales: layer.quantiser.scales,
            gram: Array(layer.gramSums.gram.prefix(width * (width + 1) / 2)))
    }

    /// What contributions of one layer add up to, each text once; nil when they do not add.
    fileprivate init?(_ records: [GramContribution]) throws {
        guard let first = records.first,
            records.allSatisfy({
                $0.source.trunk == first.source.trunk
                    && $0.source.quantiser == first.source.quantiser
            })
        else { return nil }
        // Records of one text, for several adapters or targets, have the same states.
        var texts: [[UInt8]: GramContribution] = [:]
        for record in records {
            if let known = texts[record.data], known.fitted.count <= record.fitted.count {
                continue
            }
            texts[record.data] = record
        }
        var sum = first.source.nothing.gram
        for record in texts.values {
            // Of picks a byte's state counts as often as it has vectors.
            let times = record.vectorsPerByte
            for part in [record.fitted, record.heldOut] {
                for index in sum.indices {
                    let (total, overflow) = sum[index].addingReportingOverflow(
                        part.gram[index] / times)
                    guard !overflow else {
                        throw CambiumError(.overflow, "the products of the Gram sums leave 64 bits")
                    }
                    sum[index] = total
                }
            }
        }
        self.init(scales: first.source.quantiser.scales, gram: sum)
    }
}
