internal import Glibc

/// The value of an environment variable; nil when it is unset or empty.
package func environmentVariable(_ name: String) -> String? {
    guard let value = unsafe getenv(name) else { return nil }
    let text = unsafe String(cString: value)
    return text.isEmpty ? nil : text
}

/// The present time in seconds since 1970-01-01 00:00 UTC.
package func secondsSince1970() -> Int64 { Int64(time(nil)) }
