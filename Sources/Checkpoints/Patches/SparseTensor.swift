internal import Elements

/// Elements of one tensor that a patch file replaces: `T.index` says which, `T.value` by what.
///
/// A class, since each expert that the tensor holds a part of refers to it. The numbers stay where the file is
/// mapped.
final class SparseTensor: Sendable {
    static let indexSuffix = ".index"
    static let valueSuffix = ".value"

    /// T.
    let name: String
    /// Elements that are replaced.
    let count: Int
    private let path: String
    private let index: Checkpoint.Tensor
    private let value: Checkpoint.Tensor
    /// Bytes of an element; 0 when it fills none.
    var width: Int { value.shape.type.bitWidth / 8 }
    /// Nil without an element.
    private let greatest: UInt64?

    /// - Throws: `bad-shape` for indices that are not ascending integers, or not as many as the values.
    init(
        _ name: String, _ index: Checkpoint.Tensor, _ value: Checkpoint.Tensor, in path: String
    ) throws {
        guard index.shape.dimensions.count == 1,
            [.u32, .u64, .i32, .i64].contains(index.shape.type)
        else {
            throw CambiumError(
                .badShape,
                "\(path): \(index.name) is \(index.shape); flat indices are U32[k] or U64[k]")
        }
        guard value.shape.dimensions == index.shape.dimensions else {
            throw CambiumError(
                .badShape,
                "\(path): \(index.name) is \(index.shape), but \(value.name) is \(value.shape): "
                    + "one value is expected for each index")
        }
        self.name = name
        self.path = path
        self.index = index
        self.value = value
        count = index.shape.dimensions[0]
        greatest = try Self.greatest(of: index, in: path)
    }

    /// The last of ascending numbers.
    private static func greatest(of index: Checkpoint.Tensor, in path: String) throws -> UInt64? {
        let width = index.shape.type.bitWidth / 8
        let isSigned = [.i32, .i64].contains(index.shape.type)
        let bytes = index.bytes
        var last: UInt64?
        for position in 0..<index.shape.elementCount {
            let number = number(position, of: bytes.bytes, width)
            if isSigned, number >> UInt64(8 * width - 1) != 0 {
                throw CambiumError(
                    .badShape,
                    "\(path): \(index.name) names element \(number.signed(bytes: width)); indices are "
                        + "not negative")
            }
            if let last, number <= last {
                throw CambiumError(
                    .badShape,
                    "\(path): \(index.name) names element \(number) "
                        + (number == last ? "twice" : "after \(last): indices ascend"))
            }
            last = number
        }
        return last
    }

    private static func number(_ position: Int, of bytes: RawSpan, _ width: Int) -> UInt64 {
        width == 4
            ? UInt64(bytes.number(at: 4 * position, as: UInt32.self))
            : bytes.number(at: 8 * position)
    }

    /// Holds the elements against the tensor that the model has.
    ///
    /// - Throws: `bad-shape`.
    func check(against shape: TensorShape) throws {
        guard value.shape.type == shape.type else {
            throw CambiumError(
                .badShape,
                "\(path): \(value.name) is \(value.shape), but \(name) is \(shape) in the branch's "
                    + "model; values have the dtype of their tensor")
        }
        guard shape.type.bitWidth % 8 == 0 else {
            throw CambiumError(
                .badShape,
                "\(path): elements of \(name), which is \(shape), do not fill bytes; give the tensor "
                    + "whole")
        }
        if let greatest, greatest >= UInt64(shape.elementCount) {
            throw CambiumError(
                .badShape,
                "\(path): \(index.name) names element \(greatest), but \(name), which is \(shape), "
                    + "has \(shape.elementCount)")
        }
    }

    /// Which element of the tensor the one at `position` is.
    func element(_ position: Int) -> Int {
        let bytes = index.bytes
        return Int(truncatingIfNeeded: Self.number(position, of: bytes.bytes, indexWidth))
    }

    private var indexWidth: Int { index.shape.type.bitWidth / 8 }

    /// Those at some positions, counted from `start`.
    private func elements(_ positions: Range<Int>, from start: Int) -> [Int] {
        let (bytes, width) = (index.bytes, indexWidth)
        var elements: [Int] = []
        elements.reserveCapacity(positions.count)
        for position in positions {
            let number = Self.number(position, of: bytes.bytes, width)
            // What is read again may have been changed: it must not trap.
            elements.append(Int(truncatingIfNeeded: number) &- start)
        }
        return elements
    }

    /// The first position whose element is not before `element`.
    func position(of element: Int) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if self.element(middle) < element { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// Replaces elements in a range of bytes that begins with element `start` of the tensor.
    ///
    /// - Throws: `changed` when the file was written to meanwhile.
    func replace(
        _ positions: Range<Int>, in bytes: inout MutableRawSpan, _ range: Range<Int>,
        from start: Int
    ) throws {
        let values = value.bytes.slice(
            (positions.lowerBound * width)..<(positions.upperBound * width))
        let indices = elements(positions, from: start)
        guard bytes.replace(elements: indices, in: range, by: values.bytes, width: width)
        else { throw changed }
    }

    /// What is thrown when the indices are not those that were checked.
    var changed: CambiumError {
        CambiumError(.changed, "\(path) was changed while it was read; nothing was committed")
    }
}

extension UInt64 {
    /// The number that the low bytes are in two's complement.
    func signed(bytes: Int) -> String {
        let unused = 64 - 8 * bytes
        return "\(Int64(truncatingIfNeeded: self << unused) >> unused)"
    }
}
