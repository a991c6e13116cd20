internal import Objects

/// Files whose parts merge one by one.
extension TreeMerge {
    mutating func settleFile(_ name: String) throws -> ObjectID? {
        let before = bases.trees.map { $0.files[name] }
        let values = sides.map { $0.files[name] }
        if let form, case .conflict(let changed) = bases.decide(before, sides: values) {
            let conflict = MergeConflict(.file(name), changed, versions: values, bases: before)
            if let file = try settle(conflict, form, name) { return file }
        }
        return try settleObject(.file(name), before, values, .file, parts: [])
    }

    /// - Returns: Nil where the file is settled as a whole.
    private mutating func settle(
        _ conflict: MergeConflict, _ form: any MergeForm, _ name: String
    ) throws -> ObjectID? {
        let settlement = try settlement(of: conflict)
        var chooser: (any ConflictPolicy)?
        switch settlement {
        case .side: return nil
        case .policy(let policy) where policy.takesSide:
            // A side whose experts are taken whole is told of by its own file.
            if mixesPools { return nil }
            chooser = policy
        case .policy, nil: break
        }
        let united = try form.united(
            file: name, of: MergeTrees(bases, sides, made: [:]),
            choose: { [chooser] standing in
                chooser?.resolve(
                    conflict.entity, parts: [], base: nil,
                    values: standing.map { ConflictValue(side: $0, bytes: nil) })?.side
            })
        guard let united else { return nil }
        guard united.contradictions.isEmpty else {
            switch try choose(conflict.about(united.contradictions)) {
            case .side(let side): return conflict.versions[side]
            case .left, .made: return conflict.versions[conflict.sides[0]]
            }
        }
        if let chooser, !united.chosen.isEmpty {
            resolved.append(
                conflict.about(united.chosen).settled(by: chooser.name, taken: nil))
        }
        return try draft.put(.file, united.bytes)
    }

    /// Whether the experts of a layer are of different forms on sides that both changed them.
    private var mixesPools: Bool {
        let numbers = (bases.trees + sides).reduce(Set<UInt32>()) { $0.union($1.layers.keys) }
        return numbers.contains { number in
            let names = (bases.trees + sides).reduce(Set<String>()) {
                $0.union($1.layers[number]?.pools.keys.map { $0 } ?? [])
            }
            return names.contains { name in
                let before = bases.trees.map { $0.layers[number]?.pools[name] }
                let values = sides.map { $0.layers[number]?.pools[name] }
                guard case .conflict = bases.decide(before, sides: values) else { return false }
                return !Self.isAlike(before, values)
            }
        }
    }
}
