/// What a case measured: values by metric, in the order in which the metrics came up.
package final class Measured {
    /// One line of output.
    package struct Record: Encodable {
        package let `case`: String
        package let metric: String
        package var values: [Double]
        package let unit: String
        package let experts: Int
        package let size: Int
        package let changes: Int?
    }

    private let make: (_ metric: String, _ unit: String) -> Record
    private var records: [Record] = []

    /// Starts empty, for a case of some experts.
    package init(`case`: String, experts: Int, size: Int, changes: Int?) {
        make = { metric, unit in
            Record(
                case: `case`, metric: metric, values: [], unit: unit, experts: experts, size: size,
                changes: changes)
        }
    }

    /// Adds values of a metric.
    package func add(_ metric: String, _ values: Double?..., unit: String) {
        let index = records.firstIndex { $0.metric == metric } ?? records.count
        if index == records.count { records.append(make(metric, unit)) }
        records[index].values += values.compactMap { $0 }
    }

    /// Adds the seconds that `body` takes.
    @discardableResult
    package func time<Result>(
        _ metric: String = "seconds", _ body: () throws -> Result
    ) rethrows -> Result {
        let (time, result) = try seconds(body)
        add(metric, time, unit: "s")
        return result
    }

    /// Adds the seconds that `body` takes, by how much the files at a path grow and what is written.
    @discardableResult
    package func cost<Result>(of path: String, _ body: () throws -> Result) throws -> Result {
        let before = (try bytesOnDisk(path), try bytesWritten(), deviceBytes(path))
        let result = try time { try body() }
        add("file_growth", try bytesOnDisk(path) - before.0, unit: "bytes")
        add("write_bytes", try bytesWritten() - before.1, unit: "bytes")
        if let then = before.2, let now = deviceBytes(path) {
            add("device_bytes", now - then, unit: "bytes")
        }
        return result
    }

    /// Prints a line for each metric.
    package func report() throws { for record in records { try say(record) } }
}
