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

    /// Where the rows are that products are made with; valid as long as the bytes.
    ///
    /// - Parameters:
    ///   - codes: Of a matrix of `rows` x `columns`.
    ///   - scales: Its scales.
    ///   - zeros: Its zero points; nil where the coding has none.
    @unsafe func stored(
        _ codes: UnsafeRawPointer, _ scales: UnsafeRawPointer, zeros: UnsafeRawPointer?, rows: Int,
        columns: Int
    ) -> StoredRows {
        let code: cambium_weight_code
        switch coding.code {
        case .e4m3: code = CAMBIUM_E4M3
        case .e2m1: code = CAMBIUM_E2M1
        case .int4: code = CAMBIUM_INT4
        case .int4Halves: code = CAMBIUM_INT4_HALVES
        case .int8: code = CAMBIUM_INT8
        case .gptq(let step):
            return unsafe byColumns(codes, scales, zeros, CAMBIUM_GPTQ, step, rows, columns)
        case .awq: return unsafe byColumns(codes, scales, zeros, CAMBIUM_AWQ, 0, rows, columns)
        }
        return unsafe StoredRows(
            content: .coded(
                cambium_coded_rows(
                    codes: codes, scales: scales, code: code, scale: scale, width: columns,
                    scale_rows: coding.scaleRows ?? Int.max,
                    scale_width: coding.scaleColumns ?? max(columns, 1))),
            width: columns)
    }

    @unsafe private func byColumns(
        _ codes: UnsafeRawPointer, _ scales: UnsafeRawPointer, _ zeros: UnsafeRawPointer?,
        _ order: cambium_column_order, _ step: Int, _ rows: Int, _ columns: Int
    ) -> StoredRows {
        unsafe StoredRows(
            content: .columns(
                cambium_column_codes(
                    codes: codes, zeros: zeros, scales: scales, order: order, scale: scale,
                    zero_step: Int32(step), inputs: columns, outputs: rows,
                    group: coding.scaleColumns ?? max(columns, 1))),
            width: columns)
    }

    private var scale: cambium_scale_type {
        switch scaleType {
        case .bf16: CAMBIUM_SCALE_BF16
        case .f16: CAMBIUM_SCALE_F16
        case .u8, .f8e8m0: CAMBIUM_SCALE_E8M0
        default: CAMBIUM_SCALE_F32
        }
    }
}

/// A matrix of codes and scales, read where it is stored.
package struct CodedRows: Sendable {
    package let form: CodedForm
    package let rows: Int
    package let columns: Int
    private let codes, scales: MappedBytes
    private let zeros: MappedBytes?

    /// - Parameters:
    ///   - codes: As the coding shapes them.
    ///   - scales: As one of the shapes that the coding gives them.
    ///   - zeros: As the coding shapes them; nil where it has none.
    package init(
        _ form: CodedForm, rows: Int, columns: Int, codes: MappedBytes, scales: MappedBytes,
        zeros: MappedBytes? = nil
    ) {
        let wanted = form.coding.scales(rows: rows, columns: columns)[0].reduce(1, *)
        precondition(
            rows >= 0 && columns >= 0
                && codes.count == form.coding.codes(rows: rows, columns: columns)?.byteCount
                && scales.count == wanted * form.scaleType.bitWidth / 8
                && zeros?.count == form.coding.zeros(rows: rows, columns: columns)?.byteCount,
            "\(codes.count) bytes of codes and \(scales.count) of scales for \(rows) x \(columns)")
        (self.form, self.rows, self.columns) = (form, rows, columns)
        (self.codes, self.scales, self.zeros) = (codes, scales, zeros)
    }

    /// All that is read of it.
    package var bytes: [MappedBytes] { [codes, scales] + (zeros.map { [$0] } ?? []) }

    /// Valid as long as this value.
    @unsafe var stored: StoredRows {
        unsafe form.stored(
            codes.start, scales.start, zeros: zeros?.start, rows: rows, columns: columns)
    }

    /// The weights of a row as floats.
    ///
    /// - Parameter row: Below ``rows``.
    package func copyRow(_ row: Int, into out: inout MutableSpan<Float>) {
        precondition(
            row >= 0 && row < rows && out.count == columns, "row \(row) of \(rows) x \(columns)")
        unsafe out.withUnsafeMutableBufferPointer { out in
            guard let target = out.baseAddress else { return }
            switch unsafe stored.content {
            case .coded(var matrix): unsafe cambium_coded_values(&matrix, row, 0, columns, target)
            case .columns(var matrix):
                unsafe cambium_column_values(&matrix, row, 0, columns, target)
            case .floats: break
            }
        }
    }
}

/// Where rows lie that products are made with: floats, or codes and scales.
@unsafe struct StoredRows {
    @unsafe enum Content {
        case floats(UnsafeRawPointer, ElementType)
        case coded(cambium_coded_rows)
        case columns(cambium_column_codes)
    }

    let content: Content
    /// Elements of a row.
    let width: Int

    /// out[t, r] = x[t] · row `first` + r, for `count` rows; of codes by columns both are multiples of 8.
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
        case .columns(var matrix):
            unsafe cambium_column_products(&matrix, first, count, x, tokens, out, outStride)
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
        case .columns: preconditionFailure("rows of codes by columns are not added up")
        }
    }
}
