/// From which version before it a version is stored as a difference.
///
/// Versions are counted from raw bytes, which are version 0. Version n is stored from n − 16^k, k being how many
/// zeros n ends with in base 16: most from the one before, each 16th from the one 16 before it, and so on. So any
/// version is at most 15 differences a digit away from raw bytes, and what the longer differences take, which
/// hold an element once that changed 16 times, is paid every 16th time only.
///
/// A version whose predecessor is further back, because what lies between did not change it, jumps to where the
/// predecessor's run of 16^k begins.
enum StepScheme {
    /// The greatest number of a version; behind it raw bytes begin anew.
    static let last = 65_535

    /// How far back along its versions a version's difference should begin.
    ///
    /// - Parameters:
    ///   - version: The number of the new version.
    ///   - predecessor: That of the version before, smaller.
    /// - Returns: The greatest number that serves; `predecessor` itself for most.
    static func base(of version: Int, after predecessor: Int) -> Int {
        precondition(predecessor >= 0 && predecessor < version, "versions out of order")
        var shift = 0
        while version >> (shift + 4) != predecessor >> (shift + 4) { shift += 4 }
        return (predecessor >> shift) << shift
    }
}
