internal import Elements
internal import Routing
internal import Tensors

/// One layer of a merge: gate and up of the changed experts, then the changed rows of the router, then the changed
/// experts' down matrices together.
struct LayerSolver {
    private let number: Int
    private let norm: LanguageModel.Norm
    /// What the experts' outputs are multiplied with.
    private let multiplier: Double
    private let before: LanguageModel.Experts
    private let router: LinearRouter
    private let matrix: RowMatrix
    private let form: GatedExpertForm
    private let change: LayerToSolve
    private let records: [SourceRecord]
    private let team: ThreadTeam
    private var experts: [Int: SolvedExpert] = [:]
    private var solvedRouter: LinearRouter
    private(set) var solved = SolvedLayer()

    init(
        _ number: Int, _ norm: LanguageModel.Norm, _ before: LanguageModel.Experts,
        multiplier: Float, _ change: LayerToSolve, _ records: [SourceRecord], _ team: ThreadTeam
    ) throws {
        guard let router = before.router as? LinearRouter, let form = before.form,
            let matrix = router.weights as? RowMatrix, form.coded.isEmpty
        else {
            throw CambiumError(
                .unsupported, "layer \(number) has no experts with rows of a linear router")
        }
        self.number = number
        self.norm = norm
        self.multiplier = Double(multiplier)
        self.before = before
        self.router = router
        self.matrix = matrix
        self.form = form
        self.change = change
        self.records = records
        self.team = team
        solvedRouter = router
    }

    /// - Parameter walks: Of the merged model, one a source, in front of the block.
    mutating func solve(_ walks: [LayerWalk]) throws {
        do {
            for expert in change.experts {
                experts[expert] =
                    change.places == nil
                    ? try gateUp(expert) : try SolvedExpert(change.version(expert, nil), form)
            }
            if let places = change.places { try solveShares(places) } else { try solveRows() }
            try solveDown(walks)
        } catch is Cholesky.NotPositive {
            throw notFinite
        }
        for (ordinal, expert) in experts { solved.experts[ordinal] = expert.bytes }
    }

    /// The block as it was solved.
    var block: LanguageModel.Block { block(solved.experts) }

    private var notFinite: CambiumError {
        CambiumError(
            .notFinite, "layer \(number): what the merged model reads of the excerpts is not finite"
        )
    }

    private var overflow: CambiumError {
        CambiumError(.overflow, "layer \(number): the products of the excerpts leave 64 bits")
    }

    private func block(_ experts: [Int: [UInt8]]) -> LanguageModel.Block {
        LanguageModel.Block(
            norm: norm,
            feedForward: .experts(
                LanguageModel.Experts(
                    router: solvedRouter,
                    table: OverlaidExpertTable(before.table, others: experts),
                    form: form, shared: before.shared, slot: before.slot)))
    }

    // MARK: Gate and up

    /// The first step of one expert: the map that is nearest to each source's own on the tokens that select the
    /// expert there.
    private func gateUp(_ ordinal: Int) throws -> SolvedExpert {
        var expert = try SolvedExpert(change.version(ordinal, nil), form)
        let (width, size, columns) = (
            form.width, SolvedExpert.sizes(form).inputs, 2 * form.intermediateSize
        )
        var picks: [[(token: Int, factor: Double)]] = []
        var largest = IntegerRidge.Magnitude()
        for record in records {
            var own: [(token: Int, factor: Double)] = []
            let topK = record.selection.topK
            for (index, pick) in record.selection.experts.enumerated() where pick == ordinal {
                let factor = record.root * Double(record.selection.weights[index])
                let token = index / topK
                for element in record.inputs[token * width..<(token + 1) * width] {
                    largest.add(factor * Double(element))
                }
                if size > width { largest.add(factor) }
                own.append((token, factor))
            }
            picks.append(own)
        }
        guard largest.largest.isFinite else { throw notFinite }
        let scales = [Double](repeating: largest.scale, count: size)
        var all = IntegerRidge.Sums(width: size)
        var terms = [Double](repeating: 0, count: size * columns)
        for (index, record) in records.enumerated() where !picks[index].isEmpty {
            var sums = IntegerRidge.Sums(width: size)
            let own = picks[index]
            let fits = IntegerRidge.add(rows: own.count, scales: scales, to: &sums) { row, values in
                let (token, factor) = own[row]
                for element in 0..<width {
                    values[element] = factor * Double(record.inputs[token * width + element])
                }
                if size > width { values[width] = factor }
            }
            guard fits else { throw overflow }
            let version = try SolvedExpert(change.version(ordinal, index), form)
            IntegerRidge.addProduct(
                sums, size: size, version.gateUp, columns: columns, to: &terms, team: team)
            for place in all.products.indices {
                let (sum, leaves) = all.products[place].addingReportingOverflow(
                    sums.products[place])
                guard !leaves else { throw overflow }
                all.products[place] = sum
            }
        }
        expert.gateUp = try IntegerRidge.solve(
            all, size: size, terms, columns: columns, towards: expert.gateUp,
            share: SolvedMerge.ridge,
            team: team)
        // What is computed from here on is what is stored.
        return try SolvedExpert(expert.bytes, form)
    }

    // MARK: Rows of the router

    /// The changed rows whose scores are nearest to each source's own.
    private mutating func solveRows() throws {
        let (rows, width) = (change.rows, form.width)
        guard !rows.isEmpty else { return }
        let size = router.bias.isEmpty ? width : width + 1
        let records = records
        let count = router.expertCount
        var start = [Double](repeating: 0, count: size * rows.count)
        var line = [Float](repeating: 0, count: width)
        for (column, row) in rows.enumerated() {
            var span = line.mutableSpan
            matrix.copyRow(row, into: &span)
            for element in 0..<width {
                start[element * rows.count + column] = Double(line[element])
            }
            if size > width { start[width * rows.count + column] = Double(router.bias[row]) }
        }
        let offsets = records.reduce(into: [0]) { $0.append(($0.last ?? 0) + $1.tokens) }
        let fitted = try fit(
            rows: offsets.last ?? 0, size: size, targets: rows.count, towards: start
        ) { index, values in
            let source = (offsets.firstIndex { $0 > index } ?? 1) - 1
            let (record, token) = (records[source], index - offsets[source])
            for element in 0..<width {
                values[element] = record.root * Double(record.inputs[token * width + element])
            }
            if size > width { values[width] = record.root }
            for (column, row) in rows.enumerated() {
                values[size + column] = record.root * Double(record.logits[token * count + row])
            }
        }
        store(
            Dictionary(
                uniqueKeysWithValues: rows.enumerated().map { column, row in
                    (row, (0..<size).map { fitted[$0 * rows.count + column] })
                }))
    }

    /// All rows, by which the merged router gives each source's shares to the experts that are the source's.
    private mutating func solveShares(_ places: [[Int]]) throws {
        let (width, count) = (form.width, router.expertCount)
        let size = router.bias.isEmpty ? width : width + 1
        var start: [Double] = []
        var line = [Float](repeating: 0, count: width)
        for row in 0..<count {
            var span = line.mutableSpan
            matrix.copyRow(row, into: &span)
            start += line.map { Double($0) }
            if size > width { start.append(Double(router.bias[row])) }
        }
        let tokens = zip(records, places).map { record, places in
            var own = record.logits
            var span = own.mutableSpan
            Kernels.softmax(&span, width: places.count)
            var shares = [Float](repeating: 0, count: record.tokens * count)
            for token in 0..<record.tokens {
                for (expert, slot) in places.enumerated() {
                    shares[token * count + slot] = own[token * places.count + expert]
                }
            }
            return RowDivergence.Tokens(
                inputs: record.inputs, shares: shares, root: record.root)
        }
        let divergence = RowDivergence(
            tokens, width: width, rows: count, hasBias: size > width, team: team)
        guard let solution = divergence.solve(from: start) else { throw notFinite }
        store(
            Dictionary(
                uniqueKeysWithValues: (0..<count).map { row in
                    (row, Array(solution[row * size..<(row + 1) * size]))
                }))
    }

    /// Takes rows, each with its bias, as they are stored.
    private mutating func store(_ rows: [Int: [Double]]) {
        let width = form.width
        var bias = router.bias
        let (rowType, biasType) = (
            TensorShape(matrix.type ?? .f32, [width]), TensorShape(change.bias, [1])
        )
        for (row, values) in rows {
            solved.rows[row] = FloatCode.encode(Array(values[..<width]), [rowType]) ?? []
            guard values.count > width else { continue }
            let bytes = FloatCode.encode([values[width]], [biasType]) ?? []
            solved.biases[row] = bytes
            bias[row] = Float(FloatCode.decode(bytes, [biasType])?.first ?? 0)
        }
        solvedRouter = LinearRouter(
            matrix.replacing(rows: solved.rows), bias: bias, topK: router.topK,
            scoring: router.scoring)
    }

    // MARK: Down

    /// The changed experts' second step: what brings the merged states behind the layer nearest to each source's.
    private mutating func solveDown(_ walks: [LayerWalk]) throws {
        guard !change.experts.isEmpty else { return }
        let width = form.width
        let nothing = [UInt8](repeating: 0, count: before.table.expertBytes)
        let without = block(
            Dictionary(uniqueKeysWithValues: change.experts.map { ($0, nothing) }))
        // What the experts are to add, [tokens of all sources, width], weighed.
        var rest: [Double] = []
        var features = ExpertFeatures(change.experts)
        for (record, walk) in zip(records, walks) {
            let first = rest.count / width
            let states = try walk.states(behind: without).flatMap { $0 }
            for (goal, state) in zip(record.behind, states) {
                rest.append(record.root * (Double(goal) - Double(state)) / multiplier)
            }
            var selection = solvedRouter.noPicks
            solvedRouter.route(
                record.inputs.span, tokens: record.tokens, into: &selection, team: team)
            for ordinal in change.experts {
                guard let expert = experts[ordinal] else { continue }
                features.add(
                    ordinal, expert.bytes, form, selection, record, firstRow: first, team)
            }
        }
        let size = SolvedExpert.sizes(form).middles
        let perBlock = max(1, SolvedMerge.mostFeatures / size)
        let blocks = stride(from: 0, to: change.experts.count, by: perBlock).map {
            Array(change.experts[$0..<min($0 + perBlock, change.experts.count)])
        }
        if blocks.count > 1 {
            for block in blocks { change(&rest, by: features, block, -1) }
        }
        for sweep in 0..<(blocks.count == 1 ? 1 : SolvedMerge.sweeps) {
            for block in blocks {
                if blocks.count > 1 { change(&rest, by: features, block, 1) }
                try solveDown(block, rest, features)
                let isLast = sweep == SolvedMerge.sweeps - 1 && block == blocks.last
                if blocks.count > 1, !isLast { change(&rest, by: features, block, -1) }
            }
        }
    }

    /// rest += factor · what some experts give.
    private func change(
        _ rest: inout [Double], by features: ExpertFeatures, _ block: [Int], _ factor: Double
    ) {
        let (width, size) = (form.width, SolvedExpert.sizes(form).middles)
        for ordinal in block {
            guard let expert = experts[ordinal], let own = features.own[ordinal] else { continue }
            for (index, row) in own.rows.enumerated() {
                for middle in 0..<size {
                    let value = factor * own.values[index * size + middle]
                    for element in 0..<width {
                        rest[row * width + element] += value * expert.down[middle * width + element]
                    }
                }
            }
        }
    }

    private mutating func solveDown(
        _ block: [Int], _ rest: [Double], _ features: ExpertFeatures
    ) throws {
        let (width, middles) = (form.width, SolvedExpert.sizes(form).middles)
        let size = block.count * middles
        // Of each row with features of the block, where they are.
        var places: [Int: [(column: Int, ordinal: Int, index: Int)]] = [:]
        for (column, ordinal) in block.enumerated() {
            for (index, row) in (features.own[ordinal]?.rows ?? []).enumerated() {
                places[row, default: []].append((column * middles, ordinal, index))
            }
        }
        let rows = places.keys.sorted()
        let own = features.own
        let fitted = try fit(
            rows: rows.count, size: size, targets: width,
            towards: block.flatMap { experts[$0]?.down ?? [] }
        ) { index, values in
            let row = rows[index]
            for (column, ordinal, place) in places[row] ?? [] {
                guard let expert = own[ordinal] else { continue }
                for middle in 0..<middles {
                    values[column + middle] = expert.values[place * middles + middle]
                }
            }
            for element in 0..<width { values[size + element] = rest[row * width + element] }
        }
        for (column, ordinal) in block.enumerated() {
            let range = column * middles * width..<(column + 1) * middles * width
            experts[ordinal]?.down = Array(fitted[range])
        }
    }

    /// The ridge regression of targets on features.
    ///
    /// - Parameters:
    ///   - fill: Sets a row, features and then targets.
    ///   - start: [size, targets].
    /// - Returns: [size, targets].
    private func fit(
        rows: Int, size: Int, targets: Int, towards start: [Double],
        fill: (Int, inout [Double]) -> Void
    ) throws -> [Double] {
        var largest = (feature: IntegerRidge.Magnitude(), target: IntegerRidge.Magnitude())
        var values = [Double](repeating: 0, count: size + targets)
        for row in 0..<rows {
            for index in values.indices { values[index] = 0 }
            fill(row, &values)
            for index in 0..<size { largest.feature.add(values[index]) }
            for index in size..<values.count { largest.target.add(values[index]) }
        }
        guard largest.feature.largest.isFinite, largest.target.largest.isFinite else {
            throw notFinite
        }
        let (feature, target) = (largest.feature.scale, largest.target.scale)
        var sums = IntegerRidge.Sums(width: size + targets)
        let scales =
            [Double](repeating: feature, count: size) + [Double](repeating: target, count: targets)
        guard IntegerRidge.add(rows: rows, scales: scales, to: &sums, fill: fill) else {
            throw overflow
        }
        var terms = [Double](repeating: 0, count: size * targets)
        for row in 0..<size {
            for column in 0..<targets {
                terms[row * targets + column] = sums[size + column, row] * (feature / target)
            }
        }
        return try IntegerRidge.solve(
            sums, size: size, terms, columns: targets, towards: start, share: SolvedMerge.ridge,
            team: team)
    }
}
