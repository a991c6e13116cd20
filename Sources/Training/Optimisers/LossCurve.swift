/// How the loss of a run went, in a bounded number of points.
///
/// Each point is the mean of as many steps. When there are too many points, neighbours become one, so the
/// curve depends on the losses alone.
package struct LossCurve: Sendable, Hashable {
    /// More points than these are never kept.
    package static let limit = 512

    /// Steps that a point stands for: a power of two.
    package private(set) var stride: Int
    /// Whole points.
    package private(set) var values: [Double]
    /// Sum of the losses behind the last whole point, and how many they are.
    package private(set) var rest: (sum: Double, count: Int)

    /// A curve without a step.
    package init() {
        stride = 1
        values = []
        rest = (0, 0)
    }

    /// A curve that was kept.
    ///
    /// Nil for numbers that no curve has.
    package init?(stride: Int, values: [Double], sum: Double, count: Int) {
        guard stride > 0, stride & (stride - 1) == 0, values.count < Self.limit,
            (0..<stride).contains(count), sum.isFinite, values.allSatisfy(\.isFinite)
        else { return nil }
        self.stride = stride
        self.values = values
        rest = (sum, count)
    }

    /// Adds the loss of the next step.
    package mutating func add(_ loss: Double) {
        rest.sum += loss
        rest.count += 1
        guard rest.count == stride else { return }
        values.append(rest.sum / Double(stride))
        rest = (0, 0)
        guard values.count == Self.limit else { return }
        values = Swift.stride(from: 0, to: Self.limit, by: 2).map {
            (values[$0] + values[$0 + 1]) / 2
        }
        stride *= 2
    }

    /// The step that each point ends with, and the mean loss since the point before.
    package var points: [(step: Int, loss: Double)] {
        var points = values.enumerated().map { (($0 + 1) * stride, $1) }
        if rest.count > 0 {
            points.append((values.count * stride + rest.count, rest.sum / Double(rest.count)))
        }
        return points
    }

    package static func == (left: LossCurve, right: LossCurve) -> Bool {
        left.stride == right.stride && left.values == right.values && left.rest == right.rest
    }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(stride)
        hasher.combine(values)
        hasher.combine(rest.count)
    }
}
