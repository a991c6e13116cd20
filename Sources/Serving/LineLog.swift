internal import Foundation
internal import Logging
internal import Reporting

/// A log on standard error: one line for each event, with its facts as `key=value`.
struct LineLog: LogHandler {
    var metadata: Logger.Metadata = [:]
    var metadataProvider: Logger.MetadataProvider?
    var logLevel: Logger.Level

    init(_ level: Logger.Level) { logLevel = level }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let facts = metadata.merging(event.metadata ?? [:]) { _, latest in latest }
        var line = "\(Date().formatted(.iso8601)) \(event.level.rawValue)"
        line += " message=\(Self.spelled("\(event.message)"))"
        for (key, value) in facts.sorted(by: { $0.key < $1.key }) {
            line += " \(key.hasPrefix("hb.") ? "request" : key)=\(Self.spelled("\(value)"))"
        }
        StandardError.write(line)
    }

    /// A value in quotes where it has more than letters, digits and a few marks, so that none looks like another
    /// field, breaks the line or steers a terminal.
    private static func spelled(_ value: String) -> String {
        let isPlain = value.utf8.allSatisfy {
            switch $0 {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                true
            default: "-_./:@~^+%,".utf8.contains($0)
            }
        }
        let short = value.count > 500 ? value.prefix(500) + "…" : value[...]
        return isPlain && !value.isEmpty && value.count <= 500
            ? value : JSONText.encode(String(short))
    }
}
