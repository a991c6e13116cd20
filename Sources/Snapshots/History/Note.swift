internal import Elements
package import Objects

/// What became known of a commit after it was made: figures, words, a curve.
///
/// A note is never changed. It is named by its content, so notes are a set: those of one store can be
/// united with those of another, twice as well as once, and no commit's id depends on them.
package struct Note: Sendable, Equatable {
    /// A value at a step.
    package struct Point: Sendable, Hashable {
        package let step: UInt64
        package let value: Double

        package init(step: UInt64, value: Double) {
            self.step = step
            self.value = value
        }
    }

    /// What the note is about.
    package var commit: ObjectID
    /// Seconds since 1970-01-01 00:00 UTC.
    package var time: Int64
    package var author: String
    package var text: String
    package var metrics: [String: Double]
    /// Curves by name, for example `train.loss`.
    package var series: [String: [Point]]

    package init(
        commit: ObjectID, time: Int64, author: String, text: String = "",
        metrics: [String: Double] = [:], series: [String: [Point]] = [:]
    ) {
        self.commit = commit
        self.time = time
        self.author = author
        self.text = text
        self.metrics = metrics
        self.series = series
    }

    private static let magic: UInt32 = 0x544F_4E43  // "CNOT"
    private static let pointCount = 16

    /// Canonical bytes (docs/format.md, "Notes").
    package var encoded: [UInt8] {
        var encoder = ByteEncoder()
        encoder.append(Self.magic)
        encoder.append(UInt32(1))
        encoder.append(commit)
        encoder.append(time)
        encoder.append(author)
        encoder.append(text)
        encoder.append(UInt32(metrics.count))
        for (name, value) in sortedByKey(metrics) {
            encoder.append(name)
            encoder.append(value.bitPattern)
        }
        encoder.append(UInt32(series.count))
        for (name, points) in sortedByKey(series) {
            encoder.append(name)
            encoder.append(UInt32(points.count))
            for point in points {
                encoder.append(point.step)
                encoder.append(point.value.bitPattern)
            }
        }
        return encoder.bytes
    }

    package init(decoding bytes: [UInt8]) throws {
        var decoder = ByteDecoder(bytes, "a note")
        guard try decoder.number(UInt32.self) == Self.magic else {
            throw CambiumError(.corrupt, "a note has no magic number; run `cambium verify`")
        }
        try decoder.version(1)
        commit = try decoder.id()
        time = try decoder.number()
        author = try decoder.text()
        text = try decoder.text()
        metrics = [:]
        for _ in 0..<(try decoder.count(minimum: 12)) {
            let name = try decoder.text()
            metrics[name] = Double(bitPattern: try decoder.number())
        }
        series = [:]
        for _ in 0..<(try decoder.count(minimum: 8)) {
            let name = try decoder.text()
            var points: [Point] = []
            for _ in 0..<(try decoder.count(minimum: Self.pointCount)) {
                points.append(
                    Point(
                        step: try decoder.number(),
                        value: Double(bitPattern: try decoder.number())))
            }
            series[name] = points
        }
        try decoder.end()
        try refuseOther(encoded, bytes, "a note")
    }

    /// The id that the bytes would have as a file object.
    package var id: ObjectID { Self.id(of: encoded) }

    static func id(of bytes: [UInt8]) -> ObjectID {
        guard let header = try? ObjectHeader(.file, byteCount: bytes.count) else {
            preconditionFailure("\(bytes.count) bytes have no header")
        }
        return header.id(of: bytes.raw)
    }
}
