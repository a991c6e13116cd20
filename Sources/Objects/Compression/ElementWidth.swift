package import Elements

/// Bytes of one element as the cold codec sees it: what it shuffles and subtracts.
///
/// The raw value is written to disk (``ColdGroup``) and never changes meaning.
package enum ElementWidth: UInt8, CaseIterable, Sendable, Hashable {
    case one = 1
    case two = 2
    case four = 4
    case eight = 8

    package var byteCount: Int { Int(rawValue) }

    /// The width of `type`; types narrower than a byte are bytes here.
    package init(_ type: ElementType) {
        self = Self(rawValue: UInt8(type.bitWidth / 8)) ?? .one
    }

    /// The one width of an object's elements: what all its parts agree on, or else a byte.
    package init(_ header: ObjectHeader) {
        let widths = Set(header.parts.map { ElementWidth($0.type) })
        self = widths.count == 1 ? widths.first ?? .one : .one
    }
}
