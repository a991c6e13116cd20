internal import Elements

/// Experts of several tables that tokens picked, each that lies in one place once.
///
/// They have numbers in the order of their ordinals, so that what a token picked keeps its order.
struct FoundExperts {
    /// Of each pick the number.
    private(set) var selection: [UInt32]
    /// By number, ascending.
    private(set) var ordinals: [UInt32] = []
    /// By number, the table that has the expert and one of its places in what that table found.
    private var places: [(table: Int, position: Int)] = []
    /// By table; keeps the experts where they are.
    private var found: [ExpertAddresses] = []

    /// - Parameters:
    ///   - picks: [tokens, perToken], ordinals in the token's own table.
    ///   - pools: Whose experts the tokens pick among, one run behind the other.
    /// - Throws: What reading throws.
    init(_ picks: [UInt32], perToken: Int, _ pools: [ExpertRun]) throws {
        selection = picks
        var tables: [any ExpertTable] = []
        // Of each table its picks.
        var picked: [[Int]] = []
        for run in pools {
            let table = tables.firstIndex { $0 === run.table } ?? tables.endIndex
            if table == tables.endIndex {
                tables.append(run.table)
                picked.append([])
            }
            picked[table] += run.tokens.lowerBound * perToken..<run.tokens.upperBound * perToken
        }
        var each: [(ordinal: UInt32, address: UInt, table: Int, position: Int)] = []
        for (number, table) in tables.enumerated() {
            var addresses = ExpertAddresses()
            let ordinals = picked[number].map { picks[$0] }
            try table.find(ordinals.span, &addresses)
            for (position, ordinal) in ordinals.enumerated() {
                each.append(
                    (ordinal, unsafe UInt(bitPattern: addresses[position]), number, position))
            }
            found.append(addresses)
        }
        each.sort { ($0.ordinal, $0.address) < ($1.ordinal, $1.address) }
        var last: (ordinal: UInt32, address: UInt)?
        for one in each {
            if last.map({ $0 != (one.ordinal, one.address) }) ?? true {
                ordinals.append(one.ordinal)
                places.append((one.table, one.position))
                last = (one.ordinal, one.address)
            }
            selection[picked[one.table][one.position]] = UInt32(ordinals.count - 1)
        }
    }

    /// Gives out where experts lie; valid as long as this value.
    ///
    /// - Parameter numbers: May repeat.
    func fill(_ addresses: inout ExpertAddresses, _ numbers: [UInt32]) {
        unsafe addresses.fill { rows, copies in
            unsafe rows = unsafe numbers.map { number in
                let place = places[Int(number)]
                return unsafe found[place.table][place.position]
            }
            copies = found.flatMap(\.copies)
        }
    }
}
