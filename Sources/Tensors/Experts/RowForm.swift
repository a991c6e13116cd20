internal import CKernels
package import Elements

/// How rows that are added to a token's state are stored: floats, or codes with a scale.
///
/// A code of b bits is a number of two's complement, the first of a byte lowest; the element is it times the scale,
/// F32, which lies behind the codes. Of 2 bits codes are -1, 0 and 1.
package struct RowForm: Sendable, Hashable {
    package enum Element: Sendable, Hashable {
        case floats(ElementType)
        /// 2, 4 or 8 bits.
        case codes(Int)
    }

    package let element: Element
    /// Elements of a row.
    package let width: Int

    private init(_ element: Element, width: Int) { (self.element, self.width) = (element, width) }

    /// Rows of floats.
    package static func floats(_ type: ElementType = .f32, width: Int) -> RowForm {
        precondition(type.isRowType, "rows of \(type)")
        return RowForm(.floats(type), width: width)
    }

    /// Codes of so many bits; nil where they do not fill whole bytes.
    package static func codes(_ bits: Int, width: Int) -> RowForm? {
        [2, 4, 8].contains(bits) && width * bits % 8 == 0
            ? RowForm(.codes(bits), width: width) : nil
    }

    /// What the parts of an expert say; nil when they are no row of this width.
    package init?(_ parts: [TensorShape], width: Int) {
        let type = parts.first?.type ?? .bool
        let codes = type == .u8 && width > 0 ? (parts[0].dimensions.first ?? 0) * 8 / width : 8
        guard
            let form = type.isRowType
                ? .floats(type, width: width) : RowForm.codes(codes, width: width),
            form.parts == parts
        else { return nil }
        self = form
    }

    /// Of an expert: the elements, and behind codes their scale.
    package var parts: [TensorShape] {
        switch element {
        case .floats(let type): [TensorShape(type, [width])]
        case .codes(8): [TensorShape(.i8, [width]), TensorShape(.f32, [])]
        case .codes(let bits): [TensorShape(.u8, [width * bits / 8]), TensorShape(.f32, [])]
        }
    }

    /// Bytes of a row.
    package var byteCount: Int { parts.reduce(0) { $0 + ($1.byteCount ?? 0) } }

    fileprivate var kernel: cambium_row_form {
        switch element {
        case .floats(.bf16): CAMBIUM_ROW_BF16
        case .floats(.f16): CAMBIUM_ROW_F16
        case .floats: CAMBIUM_ROW_F32
        case .codes(2): CAMBIUM_ROW_2
        case .codes(4): CAMBIUM_ROW_4
        case .codes: CAMBIUM_ROW_8
        }
    }
}

extension ElementType {
    fileprivate var isRowType: Bool { self == .f32 || self == .bf16 || self == .f16 }
}

extension Kernels {
    /// out += a row, rounded once an element.
    ///
    /// - Parameters:
    ///   - row: Of the form's bytes, at any alignment, readable for the call.
    ///   - out: [width].
    @unsafe package static func addRow(
        _ row: UnsafeRawPointer, _ form: RowForm, into out: inout MutableSpan<Float>
    ) {
        precondition(out.count == form.width, "a row of \(form.width) for \(out.count) elements")
        unsafe out.withUnsafeMutableBufferPointer { out in
            guard let start = out.baseAddress else { return }
            unsafe cambium_add_row(row, form.kernel, form.width, start)
        }
    }

    /// out += a row of bytes that are at hand.
    package static func addRow(
        _ row: RawSpan, _ form: RowForm, into out: inout MutableSpan<Float>
    ) {
        precondition(row.byteCount == form.byteCount, "a row of \(row.byteCount) bytes")
        unsafe row.withUnsafeBytes { row in
            guard let start = row.baseAddress else { return }
            unsafe addRow(start, form, into: &out)
        }
    }
}
