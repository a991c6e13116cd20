import Foundation

/// Runs with a terminal, made by script(1).
enum Terminals {
    /// Whether script(1) is installed; util-linux has it.
    static let isThere = FileManager.default.isExecutableFile(atPath: "/usr/bin/script")
}

extension Session {
    /// Runs a line of shell on a terminal of 10 rows.
    func terminal(_ line: String) throws -> Run {
        let file = ".line-\(UUID().uuidString)"
        try write("cambium() { \"$cambium\" \"$@\"; }\nstty rows 10 cols 80\n\(line)\n", to: file)
        return try shell("script -qec 'bash \(file)' /dev/null")
    }
}
