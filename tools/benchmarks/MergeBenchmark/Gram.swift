internal import ArgumentParser
internal import BenchmarkSupport
internal import COpenBLAS
internal import Foundation
internal import Models
internal import Routing
internal import Tensors

/// Evidence of many tokens: the exact integer sums, and OpenBLAS's dsyrk on the same numbers as doubles.
struct GramCase: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "gram")

    @Option var tokens = 100_000
    @Option var width = 512
    @Option var rounds = 5
    @Option var threads = 2

    func run() throws {
        BLASThreads.set(threads)
        var random = SplitMix64(seed: 3)
        let features = (0..<tokens * width).map { _ in
            Int16(truncatingIfNeeded: Int(random.next() % 1_024)) - 512
        }
        let labels = (0..<tokens).map { UInt32($0 % 64) }
        let doubles = features.map(Double.init)
        var (ours, theirs) = ([Double](), [Double]())
        for round in 0...rounds {
            var gramSums = GramSums(width: width)
            let own = try seconds { try gramSums.add(features.span, labels: labels) }.0
            Thread.sleep(forTimeInterval: 0.1)
            var gram = [Double](repeating: 0, count: width * width)
            let blas = seconds {
                unsafe doubles.withUnsafeBufferPointer { values in
                    unsafe gram.withUnsafeMutableBufferPointer { gram in
                        unsafe cambium_blas_dsyrk(
                            Int32(width), Int32(tokens), values.baseAddress, Int32(width),
                            gram.baseAddress, Int32(width))
                    }
                }
            }.0
            if round == 0 {
                for row in 0..<width {
                    for column in 0...row {
                        try expect(
                            Double(gramSums.gram[row * (row + 1) / 2 + column])
                                == gram[row * width + column], "the sums differ")
                    }
                }
            } else {
                ours.append(own)
                theirs.append(blas)
            }
        }
        try say([
            "own": ours.sorted()[rounds / 2], "own_min": ours.min() ?? 0,
            "own_max": ours.max() ?? 0, "dsyrk": theirs.sorted()[rounds / 2],
        ])
    }
}
