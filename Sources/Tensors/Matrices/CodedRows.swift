internal import CKernels
package import Elements

/// How rows of codes are read: the coding, and what its scales are.
package struct CodedForm: Sendable, Hashable {
    package let coding: WeightCoding
    package let scaleType: ElementType

    /// - Parameter scaleType: One of the coding's ``WeightCoding/scaleTypes``.
    package init(_ coding: WeightCoding, scaleType: ElementType) {
        precondition(
            coding.scaleTypes.contains(scaleType), "scales of \(scaleType.name) for codes")
        self.coding = coding
        self.scaleType = scaleType
    }

    /// What the kernels read; valid as long as the bytes.
    ///
    /// - Parameters:
    ///   - codes: Of rows of `width` elements.
    ///   - scales: Theirs.
    @unsafe func kernel(
        _ codes: UnsafeRawPointer, _ scales: UnsafeRawPointer, width: Int
    ) -> cambium_coded_rows {
        let code =
            switch coding.code {
            case .e4m3: CAMBIUM_E4M3
            case .e2m1: CAMBIUM_E2M1
            case .int4: CAMBIUM_INT4
            }
        let scale =
            switch scaleType {
            case .bf16: CAMBIUM_SCALE_BF16
            case .f16: CAMBIUM_SCALE_F16
            case .u8, .f8e8m0: CAMBIUM_SCALE_E8M0
            default: CAMBIUM_SCALE_F32
            }
        return unsafe cambium_coded_rows(
            codes: codes, scales: scales, code: code, scale: scale, width: width,
            scale_rows: coding.scaleRows ?? Int.max,
            scale_width: coding.scaleColumns ?? max(width, 1))
    }
}

/// A matrix of codes and scales, read where it is stored.
package struct CodedRows: Sendable {
    package let form: CodedForm
    package let rows: Int
    package let columns: Int
    private let codes: MappedBytes
    private let scales: MappedBytes

    /// - Parameters:
    ///   - codes: As the coding shapes them.
    ///   - scales: As one of the shapes that the coding gives them.
    package init(
        _ form: CodedForm, rows: Int, columns: Int, codes: MappedBytes, scales: MappedBytes
    ) {
        let wanted = form.coding.scales(rows: rows, columns: columns)[0].reduce(1, *)
        precondition(
            rows >= 0 && columns >= 0
                && codes.count == form.coding.codes(rows: rows, columns: columns)?.byteCount
                && scales.count == wanted * form.scaleType.bitWidth / 8,
            "\(codes.count) bytes of codes and \(scales.count) of scales for \(rows) x \(columns)")
        (self.form, self.rows, self.columns) = (form, rows, columns)
        (self.codes, self.scales) = (codes, scales)
    }

    /// All that is read of it.
    package var bytes: [MappedBytes] { [codes, scales] }

    /// What the kernels read; valid as long as this value.
    @unsafe var kernel: cambium_coded_rows {
        unsafe form.kernel(codes.start, scales.start, width: columns)
    }

    /// The weights of a row as floats.
    ///
    /// - Parameter row: Below ``rows``.
    package func copyRow(_ row: Int, into out: inout MutableSpan<Float>) {
        precondition(
            row >= 0 && row < rows && out.count == columns, "row \(row) of \(rows) x \(columns)")
        var matrix = unsafe kernel
        unsafe out.withUnsafeMutableBufferPointer { out in
            guard let target = out.baseAddress else { return }
            unsafe cambium_coded_values(&matrix, row, 0, columns, target)
        }
    }
}

/// Where rows lie that products are made with: floats, or codes and scales.
@unsafe struct StoredRows {
    @unsafe enum Content {
        case floats(UnsafeRawPointer, ElementType)
        case coded(cambium_coded_rows)
    }

    let content: Content
    /// Elements of a row.
    let width: Int

    /// out[t, r] = x[t] · row `first` + r, for `count` rows.
    func products(
        _ first: Int, _ count: Int, _ x: UnsafePointer<UnsafePointer<Float>?>, _ tokens: Int,
        _ out: UnsafeMutablePointer<Float>, _ outStride: Int
    ) {
        switch unsafe content {
        case .floats(let rows, let type):
            unsafe cambium_row_products(
                rows + first * width * type.bitWidth / 8, type.rowType, count, width, x, tokens,
                out, outStride)
        case .coded(var matrix):
            unsafe cambium_coded_products(&matrix, first, count, x, tokens, out, outStride)
        }
    }

    /// out[t] += the sum of `count` rows from `first`, each times its element of x[t].
    func sums(
        _ first: Int, _ count: Int, _ x: UnsafePointer<UnsafePointer<Float>?>, _ tokens: Int,
        _ out: UnsafeMutablePointer<Float>, _ outStride: Int
    ) {
        switch unsafe content {
        case .floats(let rows, let type):
            unsafe cambium_row_sums(
                rows + first * width * type.bitWidth / 8, type.rowType, count, width, width, x,
                tokens, out, outStride)
        case .coded(var matrix):
            unsafe cambium_coded_sums(&matrix, first, count, x, tokens, out, outStride)
        }
    }
}
