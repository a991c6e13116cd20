internal import Glibc

/// The value of an environment variable; nil when it is unset or empty.
package func environmentVariable(_ name: String) -> String? {
    guard let value = unsafe getenv(name) else { return nil }
    let text = unsafe String(cString: value)
    return text.isEmpty ? nil : text
}

/// The folder of the user's configuration: `XDG_CONFIG_HOME`, or `~/.config`; nil where there is no home.
package func userConfigFolder() -> String? {
    environmentVariable("XDG_CONFIG_HOME") ?? environmentVariable("HOME").map { $0 + "/.config" }
}

/// Who commits: `CAMBIUM_AUTHOR`, else the user's name as USER, LOGNAME or the system has it.
package func currentAuthor() -> String {
    ["CAMBIUM_AUTHOR", "USER", "LOGNAME"].lazy.compactMap(environmentVariable).first
        ?? systemUser() ?? "unknown"
}

/// The name that the system has for this process's user; nil when it has none.
private func systemUser() -> String? {
    var entry = unsafe passwd()
    var found: UnsafeMutablePointer<passwd>?
    var memory = [CChar](repeating: 0, count: 4096)
    let code = unsafe getpwuid_r(geteuid(), &entry, &memory, memory.count, &found)
    guard code == 0, unsafe found != nil, let name = unsafe entry.pw_name else { return nil }
    let text = unsafe String(cString: name)
    return text.isEmpty ? nil : text
}

/// The present time in seconds since 1970-01-01 00:00 UTC.
package func secondsSince1970() -> Int64 { Int64(time(nil)) }

/// Seconds since the machine started; no clock that somebody sets.
package func secondsRunning() -> Int64 {
    var now = timespec()
    // Fails only for a clock that does not exist.
    _ = unsafe clock_gettime(CLOCK_MONOTONIC, &now)
    return Int64(now.tv_sec)
}

/// The time that `SOURCE_DATE_EPOCH` fixes, in seconds as above, so that histories can be reproduced; nil when
/// it is not set.
package func fixedTime() -> Int64? {
    environmentVariable("SOURCE_DATE_EPOCH").flatMap { Int64($0) }
}
