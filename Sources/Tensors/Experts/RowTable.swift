internal import CKernels
internal import Elements
internal import Glibc

/// The rows of hashed experts of one layer, of which those are in memory that something trained, one behind the other
/// in the order in which they came; the others are zeros and cost their number alone.
///
/// Beside each row is the sum of Adagrad. Threads may read it at the same time, and change different rows, as
/// those of ``FloatMemory``; none may read while rows are claimed.
@safe package final class RowTable: @unchecked Sendable {
    /// Rows, trained or not.
    package let count: Int
    package let width: Int
    /// The rows that are there, in the order in which they came.
    package private(set) var ids: [UInt32] = []
    /// Where rows begin: their sums are those of this table until they are trained here.
    private let base: RowTable?
    /// By row, 0 for one that is absent.
    private let places: MappedZeros<UInt32>
    /// By place.
    private let rows, sums: MappedZeros<Float>

    /// A table of zeros.
    ///
    /// - Parameter base: Whose sums rows start from.
    package init(count: Int, width: Int, over base: RowTable? = nil) {
        precondition(
            count > 0 && count <= Int(UInt32.max) && width > 0
                && base.map { $0.count == count && $0.width == width } ?? true,
            "\(count) rows of \(width)")
        self.count = count
        self.width = width
        self.base = base
        // One more, which is never there.
        places = MappedZeros(count: count + 1)
        rows = MappedZeros(count: (count + 1) * width)
        sums = MappedZeros(count: count + 1)
    }

    /// Refuses tables that there is no address space for; what is in them later takes memory only then.
    ///
    /// - Parameter tables: As many as are needed at a time.
    /// - Throws: `.limit`, with the bytes.
    package static func check(_ tables: Int, count: Int, width: Int) throws {
        var bytes = tables
        for factor in [count + 1, (width + 2) * MemoryLayout<Float>.stride] {
            let (product, overflow) = bytes.multipliedReportingOverflow(by: factor)
            bytes = overflow ? .max : product
        }
        let memory = unsafe mmap(
            nil, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
        guard let memory = unsafe memory, unsafe memory != MAP_FAILED else {
            throw CambiumError(
                .limit,
                "\(tables) tables of \(count) hashed rows of \(width) floats need \(bytes) bytes of address space, "
                    + "which this process does not get; take fewer rows or layers of them (hash.table_size, "
                    + "hash.layers), or raise the limit (ulimit -v, vm.overcommit_memory)")
        }
        unsafe _ = munmap(memory, bytes)
    }

    /// A table with the same rows, to be changed apart.
    package func copy() -> RowTable {
        let result = RowTable(count: count, width: width, over: base)
        result.claim(ids)
        unsafe result.rows.base.update(from: rows.base, count: (ids.count + 1) * width)
        unsafe result.sums.base.update(from: sums.base, count: ids.count + 1)
        return result
    }

    /// A row; nil for one that is absent.
    package subscript(id: UInt32) -> [Float]? {
        guard let place = place(id) else { return nil }
        return unsafe Array(
            UnsafeBufferPointer(start: rows.base + place * width, count: width))
    }

    /// Where a row is, as long as the table lives and the row is not changed; of an absent one zeros.
    @unsafe package func address(of id: UInt32) -> UnsafeRawPointer {
        unsafe UnsafeRawPointer(rows.base + (place(id) ?? 0) * width)
    }

    /// The sum of a row's mean squared gradients.
    package func sum(of id: UInt32) -> Float {
        place(id).map { unsafe sums.base[$0] } ?? base?.sum(of: id) ?? 0
    }

    /// Sets a row, and its sum.
    package func set(_ id: UInt32, _ row: [Float], sum: Float = 0) {
        precondition(row.count == width, "\(row.count) of \(width) floats")
        claim([id])
        guard let place = place(id) else { return }
        unsafe row.withUnsafeBufferPointer { row in
            guard let row = row.baseAddress else { return }
            unsafe (rows.base + place * width).update(from: row, count: width)
        }
        unsafe sums.base[place] = sum
    }

    /// Makes some rows present; those that were not are zeros.
    package func claim(_ wanted: [UInt32]) {
        for id in wanted where place(id) == nil {
            let sum = sum(of: id)
            ids.append(id)
            unsafe places.base[Int(id)] = UInt32(ids.count)
            unsafe sums.base[ids.count] = sum
        }
    }

    /// x += the rows of each token, in their order; absent ones add nothing.
    ///
    /// - Parameters:
    ///   - ids: [tokens, perToken], at most 8 a token; `count` is no row.
    ///   - x: [tokens, width].
    package func add(_ ids: [UInt32], perToken: Int, to x: FloatSlice) {
        check(ids, perToken, x)
        unsafe cambium_training_active().pointee.add_hashed(
            rows.base, places.base, ids, ids.count / perToken, perToken, width, x.pointer)
    }

    /// One step of Adagrad for some rows that are present.
    ///
    /// - Parameters:
    ///   - range: Of `picked`.
    ///   - picked: The rows that were picked.
    ///   - order: Positions among the picks, [tokens, perToken], row by row; some may be left out.
    ///   - starts: Where each row's start in `order`, and where the last one's end.
    ///   - gradient: Of what the rows were added to, [tokens, width].
    ///   - factors: By row: what the rate is multiplied by; nil for 1.
    package func descend(
        _ range: Range<Int>, of picked: [UInt32], order: [UInt32], starts: [UInt32],
        perToken: Int, gradient: FloatSlice, rate: Float, factors: [Float]?
    ) {
        precondition(
            range.upperBound <= picked.count && starts.count == picked.count + 1
                && gradient.count % width == 0
                && factors?.count ?? picked.count == picked.count,
            "\(order.count) picks of \(picked.count) rows")
        let ends = starts[range.lowerBound...range.upperBound]
        let positions = gradient.count / width * perToken
        precondition(
            picked[range].allSatisfy { place($0) != nil }
                && zip(ends, ends.dropFirst()).allSatisfy { $0 < $1 }
                && Int(starts[range.upperBound]) <= order.count
                && order[Int(starts[range.lowerBound])..<Int(starts[range.upperBound])]
                    .allSatisfy { $0 < positions },
            "rows that are absent, or picks of none")
        var scratch = [Float](repeating: 0, count: width)
        unsafe cambium_training_active().pointee.adagrad_hashed(
            rows.base, places.base, sums.base, Array(picked[range]), order, Array(ends),
            range.count, perToken, gradient.pointer, width, rate, factors.map { Array($0[range]) },
            &scratch)
    }

    private func place(_ id: UInt32) -> Int? {
        precondition(Int(id) < count, "row \(id) of \(count)")
        let place = unsafe places.base[Int(id)]
        return place == 0 ? nil : Int(place)
    }

    private func check(_ ids: [UInt32], _ perToken: Int, _ x: FloatSlice) {
        TrainingKernels.check(
            (1...8).contains(perToken) && ids.count % perToken == 0
                && x.count == ids.count / perToken * width, ids.count, x.count)
        precondition(ids.allSatisfy { Int($0) <= count }, "a row beyond \(count)")
    }
}

/// Memory that is zeros, of which only what is written is ever there.
@safe private final class MappedZeros<Element: BitwiseCopyable> {
    let base: UnsafeMutablePointer<Element>
    private let bytes: Int

    init(count: Int) {
        bytes = count * MemoryLayout<Element>.stride
        let memory = unsafe mmap(
            nil, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
        guard let memory = unsafe memory, unsafe memory != MAP_FAILED else {
            preconditionFailure("no address space for \(bytes) bytes")
        }
        // Rows that are there lie one behind the other, and are read at random.
        _ = unsafe madvise(memory, bytes, MADV_HUGEPAGE)
        unsafe base = memory.bindMemory(to: Element.self, capacity: count)
    }

    deinit { unsafe _ = munmap(base, bytes) }
}
