/// How a remote is reached, and what of it is used; without any credentials.
package struct RemoteOptions: Sendable, Equatable {
    /// `http://HOST:PORT` or `https://…` of a server that speaks S3; nil for what the environment or the profile
    /// says, or else AWS.
    package var endpoint: String?
    /// Nil for that of the environment or the profile, or else `us-east-1`.
    package var region: String?
    /// A profile of `~/.aws/credentials`.
    package var profile: String?
    /// Certificates (PEM) that are trusted instead of the system's.
    package var caFile: String?
    /// Whether the bucket is a part of the host's name at an endpoint of one's own, as it is at AWS.
    package var isVirtualHost = false
    /// Whether requests are not signed.
    package var isAnonymous = false
    /// Whether a server that ignores conditions may be used: the user promises that nobody else writes there.
    package var isSingleWriter = false

    package init() {}
}
