internal import Elements
internal import Files

/// What signs requests; never shown, and never stored.
struct Credentials: Sendable {
    let accessKey: String
    let secretKey: String
    let sessionToken: String?
}

/// What the usual variables and files say of S3: `AWS_…`, `~/.aws/credentials` and `~/.aws/config`.
///
/// The order is that of the AWS command line: an option, then a variable, then the profile.
struct S3Settings: Sendable {
    /// Nil for requests that are not signed.
    let credentials: Credentials?
    let region: String
    /// Nil for that of AWS in the region.
    let endpoint: String?
    let caFile: String?

    /// - Parameter variable: The value of an environment variable; nil when it is unset or empty.
    /// - Throws: `denied` when there are no credentials; `usage` for files that cannot be read as what they are.
    init(_ options: RemoteOptions, variable: (String) -> String?) throws {
        let named = options.profile ?? variable("AWS_PROFILE")
        let profile = try Profile(named ?? "default", isNamed: named != nil, variable: variable)
        region =
            options.region ?? variable("AWS_REGION") ?? variable("AWS_DEFAULT_REGION")
            ?? profile.values["region"] ?? "us-east-1"
        endpoint =
            options.endpoint ?? variable("AWS_ENDPOINT_URL_S3") ?? variable("AWS_ENDPOINT_URL")
            ?? profile.values["endpoint_url"]
        caFile = options.caFile ?? variable("AWS_CA_BUNDLE") ?? profile.values["ca_bundle"]
        if let caFile { try Self.check(certificates: caFile) }
        credentials =
            options.isAnonymous
            ? nil
            : try Self.credentials(profile, variable, preferringProfile: options.profile != nil)
        for (name, text) in [
            ("region", region), ("access key", credentials?.accessKey),
            ("session token", credentials?.sessionToken),
        ] {
            guard text?.utf8.allSatisfy({ $0 > 32 && $0 < 127 }) ?? true else {
                throw CambiumError(.usage, "the \(name) has characters that none can have")
            }
        }
    }

    /// A server whose certificate is looked at much later must not be what tells that the file is another.
    private static func check(certificates path: String) throws {
        let bytes = try readFile(path, limit: 16 << 20)
        guard String(decoding: bytes, as: UTF8.self).contains("-----BEGIN CERTIFICATE") else {
            throw CambiumError(
                .usage,
                "\(quoted(path)), which --ca-file, AWS_CA_BUNDLE or the profile names, has no certificate "
                    + "(PEM: -----BEGIN CERTIFICATE-----)")
        }
    }

    private static func credentials(
        _ profile: Profile, _ variable: (String) -> String?, preferringProfile: Bool
    ) throws -> Credentials {
        func ofVariables() throws -> Credentials? {
            switch (variable("AWS_ACCESS_KEY_ID"), variable("AWS_SECRET_ACCESS_KEY")) {
            case (let key?, let secret?):
                return Credentials(
                    accessKey: key, secretKey: secret, sessionToken: variable("AWS_SESSION_TOKEN"))
            case (nil, nil): return nil
            case (let key, _):
                throw CambiumError(
                    .denied,
                    key == nil
                        ? "AWS_SECRET_ACCESS_KEY is set, and AWS_ACCESS_KEY_ID is not"
                        : "AWS_ACCESS_KEY_ID is set, and AWS_SECRET_ACCESS_KEY is not")
            }
        }
        func ofProfile() throws -> Credentials? {
            guard let key = profile.values["aws_access_key_id"],
                let secret = profile.values["aws_secret_access_key"]
            else { return nil }
            return Credentials(
                accessKey: key, secretKey: secret,
                sessionToken: profile.values["aws_session_token"])
        }
        let found =
            try preferringProfile ? ofProfile() ?? ofVariables() : ofVariables() ?? ofProfile()
        if let found { return found }
        let foreign = [
            "role_arn", "credential_process", "sso_session", "sso_start_url",
            "web_identity_token_file",
        ].first { profile.values[$0] != nil }
        if let foreign {
            throw CambiumError(
                .denied,
                "the profile \(quoted(profile.name)) gets its credentials by \(foreign), which is not "
                    + "followed here; put them into the environment first: "
                    + "eval \"$(aws configure export-credentials --format env)\"")
        }
        throw CambiumError(
            .denied,
            "there are no credentials for S3: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name "
                + "a profile of ~/.aws/credentials with AWS_PROFILE or --profile; --anonymous asks "
                + "without any")
    }
}
