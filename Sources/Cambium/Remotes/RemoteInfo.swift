internal import Remotes

/// How a remote is reached; without any credentials, which come from the usual variables (`AWS_ACCESS_KEY_ID` and so on)
/// and the usual profile files.
public struct RemoteAccess: Sendable, Equatable, Codable {
    /// A server that speaks S3, as `https://HOST:PORT`; nil for what the environment or the profile says, or else AWS.
    public var endpoint: String?
    /// Nil for that of the environment or the profile, or else `us-east-1`.
    public var region: String?
    /// A profile of `~/.aws/credentials`.
    public var profile: String?
    /// A file of certificates (PEM) that are trusted instead of the system's.
    public var caFile: String?
    /// Whether the bucket is a part of the host's name at an endpoint of one's own.
    public var isVirtualHost = false
    /// Whether requests are not signed.
    public var isAnonymous = false
    /// Whether a server that ignores conditions may be used: you promise that nobody else writes there.
    public var isSingleWriter = false

    /// The usual access.
    public init() {}

    init(_ options: RemoteOptions) {
        endpoint = options.endpoint
        region = options.region
        profile = options.profile
        caFile = options.caFile
        isVirtualHost = options.isVirtualHost
        isAnonymous = options.isAnonymous
        isSingleWriter = options.isSingleWriter
    }

    var options: RemoteOptions {
        var options = RemoteOptions()
        options.endpoint = endpoint
        options.region = region
        options.profile = profile
        options.caFile = caFile
        options.isVirtualHost = isVirtualHost
        options.isAnonymous = isAnonymous
        options.isSingleWriter = isSingleWriter
        return options
    }
}

/// A remote that the store knows.
public struct RemoteInfo: Sendable, Encodable {
    /// Its name, for example `origin`.
    public let name: String
    /// Where it is: `file:///…` or `s3://BUCKET/PREFIX`.
    public let url: String
    /// How it is reached.
    public let access: RemoteAccess

    init(_ remote: NamedRemote) {
        name = remote.name
        url = remote.address.url
        access = RemoteAccess(remote.options)
    }
}

/// How much at a time moves between a store and a remote.
public struct TransferOptions: Sendable {
    /// Requests at a time, from 1 to 64.
    public var jobs = 4
    /// Bytes a second, both ways together; nil for as fast as it goes.
    public var rate: Int?

    /// Four requests at a time, as fast as it goes.
    public init() {}
}

/// What moved between a store and a remote.
public struct TransferInfo: Sendable, Encodable {
    /// Commits that were new to the other side.
    public let commits: Int
    /// Objects whose data were new to it.
    public let objects: Int
    /// Requests, without those that were repeated after a failure.
    public let requests: Int
    /// Bytes of bodies that were sent.
    public let sent: Int
    /// Bytes of bodies that came.
    public let received: Int

    init(commits: Int, objects: Int, _ counts: TransportCounts) {
        self.commits = commits
        self.objects = objects
        requests = counts.requests
        sent = counts.sent
        received = counts.received
    }
}

/// One branch or tag that a push or a fetch looked at.
public struct RemoteUpdate: Sendable, Encodable {
    /// `branch` or `tag`.
    public let kind: String
    /// As the remote names it.
    public let name: String
    /// Where it was; nil when it was new.
    public let old: String?
    /// Where it is; nil when it was removed.
    public let new: String?
    /// Whether it was there already.
    public let isUnchanged: Bool
}
