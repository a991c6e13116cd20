/// How one element of a tensor is encoded, named as the safetensors format names it.
///
/// The raw value is written to disk (docs/format.md, "Element types") and never changes meaning.
package enum ElementType: UInt8, CaseIterable, Sendable, Hashable {
    case bool = 1
    case u8 = 2
    case i8 = 3
    case u16 = 4
    case i16 = 5
    case u32 = 6
    case i32 = 7
    case u64 = 8
    case i64 = 9
    case f16 = 10
    case bf16 = 11
    case f32 = 12
    case f64 = 13
    case f8e4m3 = 14
    case f8e5m2 = 15
    case f8e8m0 = 16
    case f8e4m3fnuz = 17
    case f8e5m2fnuz = 18
    case f6e2m3 = 19
    case f6e3m2 = 20
    case f4 = 21
    case c64 = 22

    /// The spelling in a safetensors header, for example `BF16`.
    package var name: String {
        switch self {
        case .bool: "BOOL"
        case .u8: "U8"
        case .i8: "I8"
        case .u16: "U16"
        case .i16: "I16"
        case .u32: "U32"
        case .i32: "I32"
        case .u64: "U64"
        case .i64: "I64"
        case .f16: "F16"
        case .bf16: "BF16"
        case .f32: "F32"
        case .f64: "F64"
        case .f8e4m3: "F8_E4M3"
        case .f8e5m2: "F8_E5M2"
        case .f8e8m0: "F8_E8M0"
        case .f8e4m3fnuz: "F8_E4M3FNUZ"
        case .f8e5m2fnuz: "F8_E5M2FNUZ"
        case .f6e2m3: "F6_E2M3"
        case .f6e3m2: "F6_E3M2"
        case .f4: "F4"
        case .c64: "C64"
        }
    }

    /// The type that a safetensors header spells `name`, or nil.
    package init?(name: String) {
        guard let match = Self.allCases.first(where: { $0.name == name }) else { return nil }
        self = match
    }

    /// Bits of one element.
    ///
    /// Types narrower than a byte are packed without gaps.
    package var bitWidth: Int {
        switch self {
        case .f4: 4
        case .f6e2m3, .f6e3m2: 6
        case .bool, .u8, .i8, .f8e4m3, .f8e5m2, .f8e8m0, .f8e4m3fnuz, .f8e5m2fnuz: 8
        case .u16, .i16, .f16, .bf16: 16
        case .u32, .i32, .f32: 32
        case .u64, .i64, .f64, .c64: 64
        }
    }
}
