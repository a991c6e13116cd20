internal import Elements
internal import Objects
package import Snapshots

/// How far two versions of one thing are apart.
package struct ConflictDistance: Sendable {
    /// The two sides.
    package let between: [Int]
    /// Elements of each version; of files and texts, bytes of the longer one.
    package let elements: Int
    /// Elements that differ bit for bit.
    package let differing: Int
    /// ‖a - b‖ / max(‖a‖, ‖b‖); nil where the elements are no numbers that are read, or not finite.
    package let relativeL2: Double?
    /// max |a - b|; nil likewise.
    package let maxAbs: Double?
    /// Dtype and shape of the versions; empty of files.
    package let parts: [String]
}

/// Measures conflicts, one after the other.
package struct ConflictMeasure {
    /// What one side has.
    fileprivate struct Version {
        let parts: [TensorShape]
        let bytes: [UInt8]
        /// The part of the bytes that is meant.
        let range: Range<Int>
    }

    private let store: SnapshotStore
    /// The router tensors of the last row: the next row mostly is of the same.
    private var tensors: [ObjectID: (header: ObjectHeader, bytes: [UInt8])] = [:]

    package init(_ store: SnapshotStore) { self.store = store }

    /// Of the two sides that are farthest apart; of equal ones, the first.
    ///
    /// - Complexity: Reads each side's object.
    package mutating func distance(_ conflict: MergeConflict) throws -> ConflictDistance? {
        if case .pool = conflict.entity { return nil }
        guard !conflict.versions.isEmpty else { return nil }
        var versions: [(side: Int, version: Version)] = []
        for side in conflict.sides {
            guard let id = conflict.versions[side],
                let found = try version(id, conflict.entity)
            else { continue }
            versions.append((side, found))
        }
        var farthest: (key: (Double, Int), distance: ConflictDistance)?
        for (index, left) in versions.enumerated() {
            for right in versions.dropFirst(index + 1)
            where left.version.parts == right.version.parts {
                let found = ConflictDistance(
                    between: [left.side, right.side], left.version, right.version)
                let key = (found.relativeL2 ?? 0, found.differing)
                if farthest.map({ $0.key < key }) ?? true { farthest = (key, found) }
            }
        }
        return farthest?.distance
    }

    private mutating func version(_ id: ObjectID, _ entity: MergeEntity) throws -> Version? {
        guard case .routerRow(_, _, _, let row) = entity else {
            let (header, bytes) = try store.data(of: id)
            var isFile = false
            if case .file = entity { isFile = true }
            if case .layout = entity { isFile = true }
            // Bytes are no numbers, and texts differ in length.
            return Version(parts: isFile ? [] : header.parts, bytes: bytes, range: bytes.indices)
        }
        if tensors[id] == nil {
            if tensors.count > 16 { tensors = [:] }
            let (header, bytes) = try store.data(of: id)
            tensors[id] = (header, bytes)
        }
        guard let tensor = tensors[id], let shape = tensor.header.parts.first else { return nil }
        let size = rows(of: shape).size
        guard (row + 1) * size <= tensor.bytes.count else { return nil }
        let width = shape.dimensions.count < 2 ? 1 : shape.dimensions[shape.dimensions.count - 1]
        return Version(
            parts: [TensorShape(shape.type, [width])], bytes: tensor.bytes,
            range: (row * size)..<((row + 1) * size))
    }
}

extension ConflictDistance {
    fileprivate init(
        between sides: [Int], _ left: ConflictMeasure.Version, _ right: ConflictMeasure.Version
    ) {
        guard !left.parts.isEmpty, left.range.count == right.range.count else {
            let (long, short) = (
                max(left.range.count, right.range.count), min(left.range.count, right.range.count)
            )
            let common = zip(left.bytes[left.range], right.bytes[right.range])
            self.init(
                between: sides, elements: long,
                differing: common.reduce(long - short) { $0 + ($1.0 == $1.1 ? 0 : 1) },
                relativeL2: nil, maxAbs: nil, parts: [])
            return
        }
        var sums = DistanceSums()
        var start = 0
        for part in left.parts {
            let size = part.byteCount ?? 0
            guard start + size <= left.range.count else { break }
            sums.add(
                part, left.bytes, left.range.lowerBound + start, right.bytes,
                right.range.lowerBound + start)
            start += size
        }
        self.init(
            between: sides, elements: sums.elements, differing: sums.differing,
            relativeL2: sums.relativeL2, maxAbs: sums.finite(sums.maxAbs),
            parts: left.parts.map(\.description))
    }
}

/// What a distance is made of, over all parts.
private struct DistanceSums {
    var elements = 0
    var differing = 0
    var maxAbs = 0.0
    private var left = 0.0
    private var right = 0.0
    private var change = 0.0
    /// False as soon as a part has elements that are not read as numbers.
    private var isNumeric = true

    var relativeL2: Double? {
        let larger = max(left, right).squareRoot()
        return finite(larger == 0 ? 0 : change.squareRoot() / larger)
    }

    func finite(_ value: Double) -> Double? { isNumeric && value.isFinite ? value : nil }

    mutating func add(
        _ part: TensorShape, _ a: [UInt8], _ startOfA: Int, _ b: [UInt8], _ startOfB: Int
    ) {
        let count = part.dimensions.reduce(1, *)
        elements += count
        guard let number = NumberCode(part.type) else {
            isNumeric = false
            // Narrow types share bytes: then bytes are counted.
            for index in 0..<(part.byteCount ?? 0)
            where a[startOfA + index] != b[startOfB + index] { differing += 1 }
            return
        }
        for index in 0..<count {
            let offset = index * number.width
            let (x, y) = (number.decode(a, startOfA + offset), number.decode(b, startOfB + offset))
            left += x * x
            right += y * y
            let isSame = (0..<number.width).allSatisfy {
                a[startOfA + offset + $0] == b[startOfB + offset + $0]
            }
            guard !isSame else { continue }
            differing += 1
            change += (x - y) * (x - y)
            // Not max(_:_:), which would let a NaN pass.
            if !((x - y).magnitude <= maxAbs) { maxAbs = (x - y).magnitude }
        }
    }
}

/// Numbers of a type as doubles.
private struct NumberCode {
    private let type: ElementType
    private let float: FloatCode?
    let width: Int

    init?(_ type: ElementType) {
        self.type = type
        float = FloatCode(rawValue: type)
        width = type.bitWidth / 8
        switch type {
        case .u8, .i8, .u16, .i16, .u32, .i32, .u64, .i64: break
        default: if float == nil { return nil }
        }
    }

    func decode(_ bytes: [UInt8], _ offset: Int) -> Double {
        if let float { return float.decode(bytes, offset) }
        let span = bytes.raw
        return switch type {
        case .u8: Double(bytes[offset])
        case .i8: Double(Int8(bitPattern: bytes[offset]))
        case .u16: Double(span.number(at: offset, as: UInt16.self))
        case .i16: Double(span.number(at: offset, as: Int16.self))
        case .u32: Double(span.number(at: offset, as: UInt32.self))
        case .i32: Double(span.number(at: offset, as: Int32.self))
        case .u64: Double(span.number(at: offset, as: UInt64.self))
        default: Double(span.number(at: offset, as: Int64.self))
        }
    }
}
