/// Byte order of two names: Swift's own order is that of Unicode's normal forms, which is not the order of any
/// stored bytes and may change with the standard.
///
/// Whatever is stored, named by a hash, or summed in an order takes this one.
package func isBefore(_ left: some StringProtocol, _ right: some StringProtocol) -> Bool {
    left.utf8.lexicographicallyPrecedes(right.utf8)
}
