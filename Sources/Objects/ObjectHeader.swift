package import Elements

/// What an object is.
///
/// The raw value is part of its canonical form and never changes meaning.
package enum ObjectKind: UInt8, CaseIterable, Sendable {
    case commit = 1
    case tree = 2
    case trunk = 3
    case layer = 4
    case layout = 5
    /// A file kept byte for byte, such as config.json.
    case file = 6
    /// One dense tensor: of the trunk or of a router.
    case tensor = 7
    /// An expert of one neuron: its down row u, then its up row v.
    case neuron = 8
    /// A SwiGLU expert: gate, up, down.
    case swiglu = 9
    /// A change of a trunk matrix that is active when its adapter is.
    case delta = 10
    /// An expert made of other tensors.
    case tensors = 11
    /// A piece of a tensor that is too large for one record.
    case segment = 12
    /// An expert of one vector that is added: its elements, and of a quantised one the scale behind them.
    case row = 13

    /// Whether its bytes name no other objects.
    package var isData: Bool { rawValue >= Self.file.rawValue }

    package var isExpert: Bool {
        switch self {
        case .neuron, .swiglu, .delta, .tensors, .row: true
        default: false
        }
    }
}

/// Kind, dtypes and shapes: the part of an object's canonical form before its raw data.
package struct ObjectHeader: Hashable, Sendable {
    package let kind: ObjectKind
    package let parts: [TensorShape]
    /// Bytes of the data that follow the header.
    package let payloadCount: Int
    /// The header's canonical bytes.
    package let encoded: [UInt8]

    private static let magic: [UInt8] = Array("CMBO".utf8)
    /// LMDB stores values below 4 GiB; single writes above 2 GiB are reported to fail.
    package static let maximumPayload = (2 << 30) - (16 << 20)
    /// Bytes of a tensor, which is kept in segments where one record does not hold it.
    package static let maximumTensor = 1 << 37

    /// - Throws: `.tooLarge` when the shapes overflow or exceed what can be stored.
    package init(_ kind: ObjectKind, _ parts: [TensorShape]) throws {
        guard !parts.isEmpty, parts.count <= 255 else {
            throw CambiumError(.corrupt, "an object has 1 to 255 parts, not \(parts.count)")
        }
        var total = 0
        let limit = kind == .tensor && parts.count == 1 ? Self.maximumTensor : Self.maximumPayload
        var encoder = ByteEncoder()
        encoder.append(raw: Self.magic)
        encoder.append(kind.rawValue)
        encoder.append(UInt8(parts.count))
        encoder.append(UInt16(0))
        for part in parts {
            guard let count = part.byteCount, part.dimensions.count <= 255,
                total + count <= limit
            else {
                throw CambiumError(
                    .tooLarge,
                    "\(part) is too large to be stored (at most \(limit) bytes)")
            }
            total += count
            encoder.append(part.type.rawValue)
            encoder.append(UInt8(part.dimensions.count))
            encoder.append(UInt16(0))
            for dimension in part.dimensions { encoder.append(UInt64(dimension)) }
        }
        self.kind = kind
        self.parts = parts
        self.payloadCount = total
        self.encoded = encoder.bytes
    }

    /// The header of a record of `count` plain bytes.
    package init(_ kind: ObjectKind, byteCount count: Int) throws {
        try self.init(kind, [TensorShape(.u8, [count])])
    }

    /// Parses canonical bytes; anything but the exact encoding is refused.
    package init(decoding bytes: [UInt8]) throws {
        var decoder = ByteDecoder(bytes, "an object header")
        guard try decoder.take(4) == Self.magic else {
            throw CambiumError(.corrupt, "an object header does not begin with CMBO")
        }
        let rawKind = try decoder.number(UInt8.self)
        guard let kind = ObjectKind(rawValue: rawKind) else {
            throw CambiumError(.corrupt, "object kind \(rawKind) is unknown to this version")
        }
        let count = Int(try decoder.number(UInt8.self))
        _ = try decoder.number(UInt16.self)
        var parts: [TensorShape] = []
        for _ in 0..<count {
            let rawType = try decoder.number(UInt8.self)
            guard let type = ElementType(rawValue: rawType) else {
                throw CambiumError(.corrupt, "element type \(rawType) is unknown to this version")
            }
            let rank = Int(try decoder.number(UInt8.self))
            _ = try decoder.number(UInt16.self)
            var dimensions: [Int] = []
            for _ in 0..<rank {
                guard let dimension = Int(exactly: try decoder.number(UInt64.self)) else {
                    throw CambiumError(.corrupt, "an object header has an impossible dimension")
                }
                dimensions.append(dimension)
            }
            parts.append(TensorShape(type, dimensions))
        }
        try decoder.end()
        try self.init(kind, parts)
        guard encoded == bytes else {
            throw CambiumError(.corrupt, "an object header has reserved bytes that are not zero")
        }
    }

    package static func == (left: ObjectHeader, right: ObjectHeader) -> Bool {
        left.encoded == right.encoded
    }

    package func hash(into hasher: inout Hasher) { hasher.combine(encoded) }

    /// The name of the object with this header and `payload`.
    package func id(of payload: RawSpan) -> ObjectID { ObjectID(hashing: encoded, payload) }

    /// As ``id(of:)``, of a payload that comes part by part.
    ///
    /// - Parameter read: Calls its argument with each part, in order.
    package func id<Failure: Error>(
        ofParts read: ((RawSpan) -> Void) throws(Failure) -> Void
    ) throws(Failure) -> ObjectID {
        try ObjectID(hashing: encoded, parts: read)
    }
}

extension ObjectID {
    /// The name that a file of these bytes has.
    package init(ofFile bytes: [UInt8]) throws {
        self = try ObjectHeader(.file, byteCount: bytes.count).id(of: bytes.raw)
    }
}
