internal import ArgumentParser
internal import Cambium

/// How a remote is reached.
struct AccessOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "A server that speaks S3; default: AWS_ENDPOINT_URL_S3, the profile's, else AWS.",
            valueName: "url"))
    var endpoint: String?

    @Option(
        help: ArgumentHelp(
            "Default: AWS_REGION, the profile's, else us-east-1.", valueName: "region"))
    var region: String?

    @Option(
        help: ArgumentHelp(
            "A profile of ~/.aws/credentials; default: AWS_PROFILE.", valueName: "name"))
    var profile: String?

    @Option(
        help: ArgumentHelp(
            "Certificates (PEM) that are trusted instead of the system's; default: AWS_CA_BUNDLE.",
            valueName: "file"), completion: .file())
    var caFile: String?

    @Flag(help: "The bucket is a part of the host's name at --endpoint.")
    var virtualHost = false

    @Flag(help: "Sign no requests: for buckets that anybody may read.")
    var anonymous = false

    @Flag(
        help: """
            Use a server that ignores conditional writes. Two pushes at a time may lose one of them there: \
            you promise that nobody else writes.
            """)
    var singleWriter = false

    var access: RemoteAccess {
        var access = RemoteAccess()
        access.endpoint = endpoint
        access.region = region
        access.profile = profile
        // It is stored, and used from other folders.
        access.caFile = caFile.map(ScratchFolder.absolute)
        access.isVirtualHost = virtualHost
        access.isAnonymous = anonymous
        access.isSingleWriter = singleWriter
        return access
    }
}

/// How much moves at a time.
struct TransferChoices: ParsableArguments {
    @Option(help: ArgumentHelp("Requests at a time (default: 4).", valueName: "n"))
    var jobs: Int?

    @Option(
        help: ArgumentHelp("Bytes a second at most: 500K, 10M.", valueName: "size"))
    var limitRate: SizeOption?

    var options: TransferOptions {
        var options = TransferOptions()
        if let jobs { options.jobs = jobs }
        options.rate = limitRate?.bytes
        return options
    }

    func validate() throws {
        if let jobs, !(1...64).contains(jobs) { throw ValidationError("--jobs takes 1 to 64") }
    }
}
