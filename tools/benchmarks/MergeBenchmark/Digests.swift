internal import ArgumentParser
internal import BenchmarkSupport
internal import CKernels
internal import Foundation
internal import Models
internal import Routing
internal import Tensors

/// How many different routers many ways of dividing one set of data give: exact ones, and one in floats
/// that was written for the comparison.
struct DigestCase: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "digests")

    @Option var data: String
    @Option var splits = 200
    @Option(help: "Bytes of each of the four texts of a domain.") var bytes = 10_000
    @Option(help: "Which instruction set to force; empty for the CPU's best.") var variant = ""

    private static let width = 64
    private static let window = 64

    /// What one text adds.
    private struct Contribution {
        let record: CountContribution
        let gramSums: GramSums
        /// [classes, width] and [width, width], as a program in floats keeps them.
        let sums: [Float]
        let gram: [Float]
    }

    func run() throws {
        if !variant.isEmpty { try force(variant) }
        let pool = try contributions()
        var random = SplitMix64(seed: 11)
        var (gates, readOuts, floats) = (Set<UInt64>(), Set<UInt64>(), Set<UInt64>())
        var (dropped, never) = (Set<UInt64>(), Set<UInt64>())
        never.insert(try gate(Array(pool.dropFirst())))
        for split in 0..<splits {
            // Each branch takes some texts, some of them on two branches; the union is by name.
            var branches = (0..<Int.random(in: 2...6, using: &random)).map { _ in [Int: Bool]() }
            for index in pool.indices {
                for _ in 0..<Int.random(in: 1...2, using: &random) {
                    branches[Int.random(in: branches.indices, using: &random)][index] = true
                }
            }
            var order: [Int] = []
            for branch in branches.shuffled(using: &random) {
                for index in branch.keys.shuffled(using: &random) where !order.contains(index) {
                    order.append(index)
                }
            }
            try expect(order.count == pool.count, "a text is missing")
            let set = order.map { pool[$0] }
            gates.insert(try gate(set))
            dropped.insert(try gate(order.filter { $0 != 0 }.map { pool[$0] }))
            var gramSums = GramSums(width: Self.width)
            for contribution in set { try gramSums.add(contribution.gramSums) }
            readOuts.insert(
                try readOut(gramSums, ThreadTeam(count: 1 + split % 2)))
            floats.insert(floatRouter(set))
        }
        try expect(dropped == never, "a dropped text left a trace")
        try say([
            "gate": Double(gates.count), "read_out": Double(readOuts.count),
            "float": Double(floats.count), "dropped": Double(dropped.count),
            "splits": Double(splits),
            // Equal between runs with other instruction sets and core types.
            "gate_digest": Double((gates.first ?? 0) >> 11),
            "read_out_digest": Double((readOuts.first ?? 0) >> 11),
        ])
    }

    private func force(_ name: String) throws {
        var index = 0
        while let found = unsafe cambium_variant_at(index) {
            unsafe cambium_use_variant(found)
            if Kernels.variant == name { return }
            index += 1
        }
        throw Failure("this CPU has no variant '\(name)'")
    }

    private func contributions() throws -> [Contribution] {
        var pool: [Contribution] = []
        for (label, domain) in domains.enumerated() {
            let all = try text(data, domain, "train", 4 * bytes)
            for part in 0..<4 {
                let some = Array(all[(part * all.count / 4)..<((part + 1) * all.count / 4)])
                var name = [UInt8](repeating: 0, count: 32)
                (name[0], name[1]) = (UInt8(label), UInt8(part))
                let record = try CountContribution(
                    adapter: domain, label: "", data: name, byteCount: UInt64(some.count),
                    counts: NGramCounts(of: some, order: 3))
                var (gramSums, features) = (GramSums(width: Self.width), [Int16]())
                var sums = [Float](repeating: 0, count: domains.count * Self.width)
                var gram = [Float](repeating: 0, count: Self.width * Self.width)
                let windows = some.count / Self.window
                for window in 0..<windows {
                    let row = histogram(of: some[(window * Self.window)...].prefix(Self.window))
                    features += row
                    // Normalised, as activations are: not representable exactly.
                    let x = row.map { Float($0) / 7 }
                    for i in 0..<Self.width {
                        sums[label * Self.width + i] += x[i]
                        for j in 0..<Self.width { gram[i * Self.width + j] += x[i] * x[j] }
                    }
                }
                try gramSums.add(
                    features.span, labels: [UInt32](repeating: UInt32(label), count: windows))
                pool.append(
                    Contribution(record: record, gramSums: gramSums, sums: sums, gram: gram))
            }
        }
        return pool
    }

    /// Bytes of a window by their hashes.
    private func histogram(of bytes: ArraySlice<UInt8>) -> [Int16] {
        var row = [Int16](repeating: 0, count: Self.width)
        for byte in bytes { row[Int(byte) &* 37 % Self.width] += 1 }
        return row
    }

    private func gate(_ set: [Contribution]) throws -> UInt64 {
        var digest = Digest()
        digest.add(
            CountGate.encoded(try CountGate.classes(of: set.map(\.record)), .standard))
        return digest.value
    }

    private func readOut(_ gramSums: GramSums, _ team: ThreadTeam) throws -> UInt64 {
        var digest = Digest()
        for form in ReadOut.Form.allCases {
            let solved = try ReadOut(form, of: gramSums, lambda: 1e-3, team: team)
            digest.add(solved.weights)
            digest.add(solved.biases)
        }
        return digest.value
    }

    /// The sums in floats, in the order of arrival: what would be solved from.
    private func floatRouter(_ set: [Contribution]) -> UInt64 {
        var (sums, gram) = (set[0].sums, set[0].gram)
        for contribution in set.dropFirst() {
            for index in sums.indices { sums[index] += contribution.sums[index] }
            for index in gram.indices { gram[index] += contribution.gram[index] }
        }
        var digest = Digest()
        digest.add(sums)
        digest.add(gram)
        return digest.value
    }
}
