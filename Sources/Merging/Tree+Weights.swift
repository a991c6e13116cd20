internal import Elements
internal import Objects
internal import Snapshots

extension Tree {
    /// Names trunk, routers and experts alike: equal for models of equal weights.
    var weights: ObjectID {
        get throws {
            var bytes = trunk.encoded
            for (_, layer) in layers.sorted(by: { $0.key < $1.key }) { bytes += layer.encoded }
            return try ObjectID(ofFile: bytes)
        }
    }
}
