internal import CKernels

/// The factor L of a symmetric positive definite matrix A = L Lᵀ, in doubles.
///
/// Golub and Van Loan, Matrix Computations, section 4.2 (the column form). Every sum runs in
/// ascending order without contraction (`cambium_solve.h`), so the bits depend neither on the CPU
/// nor on the threads, and equal matrices have equal factors everywhere.
@safe package final class Cholesky: Sendable {
    /// Why a matrix has no factor.
    package struct NotPositive: Error {
        /// The first row whose pivot is not a positive number: because the matrix is singular or
        /// indefinite, or holds NaN or infinity.
        package let row: Int
    }

    /// Rows, and columns.
    package let size: Int
    // Written by the initialiser alone.
    nonisolated(unsafe) private let factor: UnsafeMutablePointer<Double>

    /// - Parameters:
    ///   - size: At least 1.
    ///   - lower: Sets the lower triangle, row by row: receives [`size`, `size`], zero at first, of
    ///     which only elements at or left of the diagonal are read.
    /// - Throws: ``NotPositive``.
    /// - Complexity: 8 `size`² bytes, `size`³ / 3 multiplications.
    package init(
        size: Int, team: ThreadTeam = .single, lower: (inout MutableSpan<Double>) -> Void
    ) throws(NotPositive) {
        precondition(size >= 1 && size <= 1 << 20, "a system of \(size) unknowns")
        self.size = size
        unsafe factor = doubles(size * size)
        var span = unsafe MutableSpan(_unsafeStart: factor, count: size * size)
        lower(&span)
        try decompose(team)
    }

    deinit { unsafe factor.deallocate() }

    private func decompose(_ team: ThreadTeam) throws(NotPositive) {
        let (n, panel) = (size, Int(CAMBIUM_PANEL))
        nonisolated(unsafe) let factor = unsafe factor
        nonisolated(unsafe) let packed = unsafe doubles(n * panel)
        defer { unsafe packed.deallocate() }
        guard let variant = unsafe cambium_solve_active() else { return }
        let update = unsafe variant.pointee.update_rows
        for first in stride(from: 0, to: n, by: panel) {
            let width = min(panel, n - first)
            unsafe cambium_pack_panel(factor, n, first, width, packed)
            forEachTile(first..<n, team) { rows in
                unsafe update?(factor, n, first, width, packed, rows.lowerBound, rows.upperBound)
            }
            let failed = unsafe cambium_factor_diagonal(factor, n, first, width)
            guard failed == n else { throw NotPositive(row: failed) }
            forEachTile(first + width..<n, team) { rows in
                unsafe cambium_finish_rows(
                    factor, n, first, width, rows.lowerBound, rows.upperBound)
            }
        }
    }

    /// The diagonal of the factor, [`size`]; det A is the square of its product.
    package var diagonal: [Double] {
        (0..<size).map { row in unsafe factor[row * size + row] }
    }

    /// Solves A X = B.
    ///
    /// - Parameters:
    ///   - sides: [`size`, `count`], B; replaced by X.
    /// - Complexity: 2 `size`² `count` multiplications.
    package func solve(_ sides: inout [Double], count: Int, team: ThreadTeam = .single) {
        precondition(
            count >= 0 && sides.count == size * count,
            "\(sides.count) elements for \(count) right-hand sides of \(size)")
        let (n, lanes) = (size, Int(CAMBIUM_SIDES))
        nonisolated(unsafe) let factor = unsafe factor
        unsafe sides.withUnsafeMutableBufferPointer { buffer in
            guard let start = buffer.baseAddress else { return }
            nonisolated(unsafe) let target = unsafe start
            team.forEach((count + lanes - 1) / lanes) { part in
                let first = part * lanes
                let width = min(lanes, count - first)
                let x = unsafe doubles(n * lanes)
                defer { unsafe x.deallocate() }
                for row in 0..<n {
                    unsafe (x + row * lanes).update(
                        from: target + row * count + first, count: width)
                }
                unsafe cambium_solve_sides(factor, n, x)
                for row in 0..<n {
                    unsafe (target + row * count + first).update(
                        from: x + row * lanes, count: width)
                }
            }
        }
    }
}

/// Zeroed memory at a multiple of 64 bytes.
private func doubles(_ count: Int) -> UnsafeMutablePointer<Double> {
    let bytes = max(count, 1) * MemoryLayout<Double>.stride
    let memory = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 64)
    unsafe memory.initializeMemory(as: UInt8.self, repeating: 0, count: bytes)
    return unsafe memory.bindMemory(to: Double.self, capacity: max(count, 1))
}

/// Shares rows out in tiles.
private func forEachTile(
    _ rows: Range<Int>, _ team: ThreadTeam, _ body: @Sendable (Range<Int>) -> Void
) {
    let tile = 64
    team.forEach((rows.count + tile - 1) / tile) { part in
        let start = rows.lowerBound + part * tile
        body(start..<min(start + tile, rows.upperBound))
    }
}
