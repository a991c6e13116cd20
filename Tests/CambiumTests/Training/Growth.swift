import Foundation
import TestSupport

@testable import Cambium

/// What tests of growing share: texts of few bytes that follow each other at random, old ones of other bytes than
/// new ones, and stores with a model of another library.
enum Growth {
    static func text(_ alphabet: ClosedRange<UInt8>, _ count: Int, seed: UInt64) -> [UInt8] {
        var random = SeededGenerator(seed: seed)
        return (0..<count).map { _ in UInt8.random(in: alphabet, using: &random) }
    }

    static let old = text(97...104, 8_192, seed: 1)
    static let new = text(200...203, 1_024, seed: 2)

    /// For what does not ask how well routes stay.
    static let shortOld = text(97...104, 2_048, seed: 1)
    /// So few windows tell no more about routes than this.
    static let roughly = GrowthOptions(unchanged: 0.9, threads: 2)

    static func model(_ architecture: String, _ form: String = "model") -> String {
        Checkpoints.path("hf/\(architecture)/\(form)")
    }

    static func store(_ checkpoint: String, in directory: String) throws -> Store {
        try Store.create(at: directory + "/S")
        let store = try Store(directory + "/S")
        _ = try store.commit(checkpoint: checkpoint, Checkpoints.options("base"))
        return store
    }

    /// The router rows of all layers.
    static func rows(_ store: Store, _ revision: String) throws -> [String: [UInt8]] {
        var rows: [String: [UInt8]] = [:]
        for layer in try store.list(revision).layers {
            for tensor in layer.pools[0].routerTensors {
                rows[tensor.name] = try store.data(revision, named: tensor.name)
            }
        }
        return rows
    }
}
