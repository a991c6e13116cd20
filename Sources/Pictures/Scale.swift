internal import Reporting

/// Numbers along an axis: where they are, and which of them are named.
package struct Scale: Sendable {
    /// What the numbers are.
    package enum Unit: Sendable {
        case number
        case count
        /// In binary units.
        case bytes
    }

    private let low: Double
    private let high: Double
    private let start: Double
    private let end: Double
    private let unit: Unit
    /// Behind the point, so that neighbours have different names.
    private let decimals: Int
    /// The numbers that are named.
    package let ticks: [Double]

    /// - Parameters:
    ///   - values: All that are drawn; with fewer than two different ones there is room around.
    ///   - pixels: Where the least and the greatest go.
    ///   - ticks: How many numbers are named, about.
    ///   - includesZero: Whether the axis begins at 0.
    ///   - isTight: Whether the axis ends with the values, not with ticks.
    package init(
        _ values: some Sequence<Double>, pixels: (from: Double, to: Double), ticks count: Int,
        unit: Unit = .number, includesZero: Bool = false, isTight: Bool = false
    ) {
        // So that differences and quotients stay finite.
        let finite = values.filter(\.isFinite).map { max(-1e150, min(1e150, $0)) }
        var (low, high) = (finite.min() ?? 0, finite.max() ?? 1)
        if includesZero { (low, high) = (min(0, low), max(0, high)) }
        if high - low <= max(low.magnitude, high.magnitude) * 1e-9 || high - low < 1e-150 {
            let room = max(low.magnitude, high.magnitude) < 1e-100 ? 1 : high.magnitude * 0.1
            (low, high) = (includesZero ? low : low - room, high + room)
        }
        var step = Self.step((high - low) / Double(max(1, count)), unit)
        if unit == .count { step = max(1, step) }
        if !isTight {
            low = (low / step).rounded(.down) * step
            high = (high / step).rounded(.up) * step
        }
        // A tick at the end is one of them, however the quotient was rounded.
        let (first, last) = ((low / step - 1e-6).rounded(.up), (high / step + 1e-6).rounded(.down))
        ticks =
            first <= last && last - first < 1_000
            ? (0...Int(last - first)).map { (first + Double($0)) * step } : []
        (self.low, self.high, self.unit) = (low, high, unit)
        var (decimals, power) = (0, 1.0)
        while decimals < 9, step * power < 0.999 { (decimals, power) = (decimals + 1, power * 10) }
        self.decimals = decimals
        (start, end) = pixels
    }

    /// Where a number is.
    package func callAsFunction(_ value: Double) -> Double {
        start + (end - start) * (value - low) / (high - low)
    }

    /// A number's name.
    package func name(_ value: Double) -> String {
        switch unit {
        case .number:
            decimals == 0 ? Quantity.recorded(value) : Quantity.fixed(value, decimals)
        case .count: Quantity.count(Int(exactly: value.rounded()) ?? .max)
        case .bytes: Quantity.bytes(Int(exactly: value.rounded()) ?? .max)
        }
    }

    /// The greatest of 1, 2 and 5 times a power of ten (of two, for bytes) that is not far above a length.
    private static func step(_ length: Double, _ unit: Unit) -> Double {
        guard length > 0, length.isFinite else { return 1 }
        var power = 1.0
        if unit == .bytes {
            while power < length { power *= 2 }
            return power
        }
        while power * 10 <= length { power *= 10 }
        while power > length { power /= 10 }
        return [1, 2, 5, 10].map { $0 * power }.first { $0 >= length * 0.999 } ?? power * 10
    }
}
