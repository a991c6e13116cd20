internal import CKernels

/// A matrix laid out for products of training in fixed order, in memory that it shares.
///
/// Panels of 16 outputs, [⌈outputs / 16⌉, depth, 16]; laid out anew whenever the weights change. Each
/// output of a product is one chain of fused additions in ascending depth, so its bits depend neither
/// on the batch nor on the CPU.
package struct WeightPanels: Sendable {
    private let elements: FloatSlice
    /// What a product sums over.
    package let depth: Int
    package let outputs: Int

    package init(depth: Int, outputs: Int) {
        precondition(depth >= 1 && outputs >= 1, "panels of \(depth) x \(outputs)")
        self.depth = depth
        self.outputs = outputs
        elements = FloatMemory(count: padded(outputs) * depth).slice
    }

    /// For x wᵀ.
    ///
    /// - Parameter w: [outputs, depth].
    package func pack(rowsOf w: FloatSlice) {
        TrainingKernels.check(w.count == outputs * depth, w.count, elements.count)
        unsafe cambium_training_active().pointee.pack_rows(
            w.pointer, depth, outputs, depth, elements.pointer)
    }

    /// For x w.
    ///
    /// - Parameter w: [depth, outputs].
    package func pack(columnsOf w: FloatSlice) {
        TrainingKernels.check(w.count == outputs * depth, w.count, elements.count)
        unsafe cambium_training_active().pointee.pack_columns(
            w.pointer, outputs, depth, outputs, elements.pointer)
    }

    /// out = the product of x with the matrix, added to what `out` was when it is kept.
    ///
    /// - Parameters:
    ///   - x: `tokens` rows of `depth` elements.
    ///   - out: `tokens` rows of `outputs` elements.
    package func multiply(_ x: FloatRows, into out: FloatRows, tokens: Int, keeping: Bool = false) {
        TrainingKernels.check(
            x.holds(tokens, depth) && out.holds(tokens, outputs), x.elements.count,
            out.elements.count)
        unsafe cambium_training_active().pointee.panel_sums(
            x.elements.pointer, x.stride, elements.pointer, tokens, depth, outputs,
            out.elements.pointer, out.stride, keeping ? 1 : 0)
    }
}

/// Rows of floats at equal distances.
package struct FloatRows: Sendable {
    package let elements: FloatSlice
    /// Elements from one row to the next.
    package let stride: Int

    package init(_ elements: FloatSlice, stride: Int) {
        self.elements = elements
        self.stride = stride
    }

    /// Whether there are `rows` rows of `columns` elements.
    func holds(_ rows: Int, _ columns: Int) -> Bool {
        rows >= 1 && columns >= 1 && stride >= columns
            && elements.count >= (rows - 1) * stride + columns
    }
}

extension TrainingKernels {
    /// gradient[r, c] += Σ over t of dy[t, r] x[t, c].
    ///
    /// - Parameters:
    ///   - dy: `tokens` rows of `rows` elements.
    ///   - x: `tokens` rows of `columns` elements.
    ///   - scratch: At least ``gradientScratch(rows:columns:)`` elements.
    ///   - gradient: [rows, columns].
    package static func addWeightGradient(
        dy: FloatRows, x: FloatRows, tokens: Int, rows: Int, columns: Int, scratch: FloatSlice,
        into gradient: FloatSlice
    ) {
        check(
            dy.holds(tokens, rows) && x.holds(tokens, columns), dy.elements.count,
            x.elements.count)
        check(
            gradient.count == rows * columns
                && scratch.count >= gradientScratch(rows: rows, columns: columns),
            gradient.count, scratch.count)
        unsafe cambium_training_active().pointee.weight_gradient(
            dy.elements.pointer, dy.stride, x.elements.pointer, x.stride, tokens, rows, columns,
            scratch.pointer, gradient.pointer)
    }

    package static func gradientScratch(rows: Int, columns: Int) -> Int {
        CAMBIUM_GRADIENT_DEPTH * (padded(rows) + padded(columns))
    }
}

/// The next multiple of 16.
func padded(_ count: Int) -> Int { (count + 15) / 16 * 16 }
