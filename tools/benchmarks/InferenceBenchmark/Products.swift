internal import ArgumentParser
internal import BenchmarkSupport
internal import Foundation
internal import Tensors

/// One product, by OpenBLAS and by the own kernel in fixed order: `time COUNT`.
struct ProductCase: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "product")

    @Option var tokens: Int
    @Option var rows: Int
    @Option var columns: Int
    @Option var threads = 2

    func run() throws {
        BLASThreads.set(threads)
        let team = ThreadTeam(count: threads)
        let matrix = noise(rows, columns, tag: 7 << 40, scale: 1)
        let packed = PackedMatrix(matrix)
        let quantised = projection(matrix, int8: true)
        let x = Noise.floats(tag: 8 << 40, count: tokens * columns, scale: 1)
        var (ours, theirs) = (
            [Float](repeating: 0, count: tokens * rows), [Float](repeating: 0, count: tokens * rows)
        )
        let operations = 2.0 * Double(tokens) * Double(rows) * Double(columns)

        func own() {
            var span = ours.mutableSpan
            packed.multiply(x.span, tokens: tokens, into: &span, team: team)
        }
        func int8() {
            var span = ours.mutableSpan
            quantised.multiply(x.span, tokens: tokens, into: &span, team: team)
        }
        func blas() {
            var span = theirs.mutableSpan
            matrix.multiply(x.span, tokens: tokens, into: &span)
        }
        own()
        blas()
        let difference = zip(ours, theirs).map { abs($0 - $1) }.max() ?? 0
        try expect(difference < 1e-3, "the products differ by \(difference)")
        func rates(_ command: Command) throws -> Figures {
            let count = try command.number(1)
            func rate(_ body: () -> Void) -> Double {
                operations * Double(count) / seconds { for _ in 0..<count { body() } }.0 / 1e9
            }
            let theirs = rate(blas)
            // OpenBLAS's threads look for work for a while before they sleep.
            Thread.sleep(forTimeInterval: 0.1)
            // After the pause caches are cold and processors slow; OpenBLAS's rounds have no pause before.
            _ = rate(own)
            let ours = rate(own)
            _ = rate(int8)
            return ["openblas": theirs, "own": ours, "int8": rate(int8)]
        }
        try answer(["difference": Double(difference)], ["time": rates])
    }
}
