internal import Architectures
internal import Elements
internal import Evidence
internal import Models
internal import Objects
internal import Routing
internal import Snapshots
internal import Tensors

/// The routers of a merge that are what the sides' evidence gives: they are never in conflict, but solved again from the
/// evidence of all.
///
/// Of such a layer all sides that have it solved get one router, which stands in until the merged evidence is known.
struct RouterMerge {
    /// The sides, with the stand-ins.
    private(set) var trees: [Tree]
    /// What a user should know.
    private(set) var notes: [String] = []
    private var solved: [Int: PeerConfig.Solved] = [:]
    /// Layers with other routers on the sides that are merged as any are, though some are solved.
    private var ordinary: Set<Int> = []
    private let inner: any MergeForm
    private let store: SnapshotStore
    private let team: ThreadTeam

    /// - Parameters:
    ///   - names: One per side.
    ///   - form: Settles in what files the merged model is.
    init(
        _ bases: [Tree], _ sides: [Tree], names: [String], _ form: any MergeForm,
        _ store: SnapshotStore, _ team: ThreadTeam
    ) throws {
        trees = sides
        inner = form
        self.store = store
        self.team = team
        let configs = try sides.map { try Self.config(of: $0, store) }
        let layers = configs.reduce(Set<Int>()) { $0.union($1?.solved?.layers ?? []) }
        for layer in layers.sorted() {
            let own = configs.indices.filter { configs[$0]?.isSolved(layer) == true }
            let settings = own.compactMap { configs[$0]?.solved }
            guard let first = settings.first,
                settings.allSatisfy({ $0.form == first.form && $0.heads == first.heads })
            else { continue }
            let before = bases.map { Self.router(layer, $0) }
            let isOrdinary = try configs.indices.contains { side in
                guard own.contains(side) else {
                    // What one side alone has made its own must not be lost by the other's.
                    return !before.isEmpty && !before.contains(Self.router(layer, sides[side]))
                }
                guard try !isSolution(layer, first, sides[side], names[side]) else { return false }
                let isKnown = try !store.evidence(of: sides[side])
                    .gramSums(layer: layer, ofExperts: true).isEmpty
                let solve =
                    "cambium evidence router \(names[side]) --layer \(layer) --form \(first.form.rawValue) --commit"
                notes.append(
                    "the router of layer \(layer) on \(names[side]) "
                        + (isKnown
                            ? "is not what its evidence gives, so it is merged as any router is; solve it again, "
                                + "\(solve), and then merge"
                            : "was solved from evidence that is not there any more, so it is merged as any router is; "
                                + "to unite it by evidence add some of its texts (cambium evidence add --kind gram "
                                + "--target experts), \(solve), and then merge"))
                return true
            }
            if isOrdinary {
                if Set(sides.map { Self.router(layer, $0) }).count > 1 { ordinary.insert(layer) }
                continue
            }
            solved[layer] = first
            // Any of them, for none is kept.
            let standIn = own.map { Self.router(layer, sides[$0]) }
                .min { Self.key($0).lexicographicallyPrecedes(Self.key($1)) }
            for side in own {
                trees[side].layers[UInt32(layer)]?.pools[ExpertPool.base]?.router = standIn ?? [:]
            }
        }
    }

    /// Settles the form of the merged model after its routers are solved.
    var form: any MergeForm {
        solved.isEmpty && ordinary.isEmpty
            ? inner
            : RouterForm(
                inner: inner, store: store, solved: solved, ordinary: ordinary, team: team)
    }

    private static func config(of tree: Tree, _ store: SnapshotStore) throws -> PeerConfig? {
        guard tree.architecture == Architecture.peerLM.name else { return nil }
        do {
            return try store.peerConfig(of: tree, "a side")
        } catch let error as CambiumError where [.unsupported, .badConfig].contains(error.code) {
            // What this version does not read has no routers that it could solve.
            return nil
        }
    }

    private static func router(_ layer: Int, _ tree: Tree) -> [String: StoredTensor] {
        tree.layers[UInt32(layer)]?.pools[ExpertPool.base]?.router ?? [:]
    }

    private static func key(_ router: [String: StoredTensor]) -> [UInt8] {
        router.sorted { isBefore($0.key, $1.key) }.flatMap {
            Array($0.key.utf8) + $0.value.id.bytes
        }
    }

    /// Whether a side's router is what the side's evidence gives.
    private func isSolution(
        _ layer: Int, _ settings: PeerConfig.Solved, _ tree: Tree, _ name: String
    ) throws -> Bool {
        guard let pool = tree.layers[UInt32(layer)]?.pools[ExpertPool.base] else { return false }
        do {
            let solution = try store.routerSolution(
                of: tree, layer: layer, form: settings.readOutForm, place: name, team: team)
            return try solution.isRouter(of: pool)
        } catch let error as CambiumError
            where [.notFound, .usage, .unsolvable, .incompatible, .overflow].contains(error.code)
        {
            return false
        }
    }
}

/// Solves routers from merged evidence before the form of the merged model is settled.
private struct RouterForm: MergeForm {
    let inner: any MergeForm
    let store: SnapshotStore
    /// By layer.
    let solved: [Int: PeerConfig.Solved]
    let ordinary: Set<Int>
    let team: ThreadTeam

    var files: Set<String> { inner.files }

    func settle(
        _ trees: MergeTrees, _ draft: inout CommitDraft
    ) throws -> [String: String] {
        // A router that one side solved over its trunk is none of a merged model with another's.
        for layer in ordinary.sorted() {
            try solving(layer) { try store.checkPicks(of: draft.tree, layer, "the merged model") }
        }
        // A layer's evidence is of states behind the routers of the layers below.
        for (layer, settings) in solved.sorted(by: { $0.key < $1.key }) {
            try solving(layer) {
                let solution = try store.routerSolution(
                    of: draft.tree, layer: layer, form: settings.readOutForm,
                    place: "the merged model", team: team)
                guard solution.heads == settings.heads else {
                    throw CambiumError(
                        .usage,
                        "the evidence has \(solution.heads) heads, config.json \(settings.heads)")
                }
                try solution.put(into: &draft)
            }
        }
        let settled = try inner.settle(trees, &draft)
        guard !solved.isEmpty else { return settled }
        let layers = solved.keys.sorted().map(String.init).joined(separator: ",")
        return settled.merging(["merge.routers": layers]) { $1 }
    }

    private func solving(_ layer: Int, _ body: () throws -> Void) throws {
        do {
            try body()
        } catch let error as CambiumError {
            throw error.adding(
                "the router of layer \(layer) is solved from evidence, and that of the merged model cannot be "
                    + "solved (a side on which the evidence of the layer is dropped merges as it is)"
            )
        }
    }
}

extension PeerConfig.Solved {
    /// The form of the same name.
    fileprivate var readOutForm: ReadOut.Form {
        switch form {
        case .ridge: .ridge
        case .discriminant: .discriminant
        }
    }
}
