import Elements
import Files
import Remotes
import TestSupport
import Testing

@Suite("Addresses of remotes")
struct RemoteAddressTests {
    @Test(
        "are folders or buckets, spelled in one way",
        arguments: [
            ("file:///a/b", "file:///a/b"), ("file:///a//b/", "file:///a/b"),
            ("FILE:///a b/ä", "file:///a b/ä"),
            ("s3://bucket", "s3://bucket"), ("s3://bucket/", "s3://bucket"),
            ("S3://my.bucket-1/some/prefix/", "s3://my.bucket-1/some/prefix"),
            ("s3://b2//x", "s3://b2/x"),
        ])
    func spelled(_ text: String, _ url: String) throws {
        #expect(try RemoteAddress(text).url == url)
        #expect(try RemoteAddress(url) == RemoteAddress(text))
    }

    @Test("have a folder's path, or a bucket and a prefix")
    func parts() throws {
        #expect(try RemoteAddress("file:///mnt/x").place == .folder("/mnt/x"))
        #expect(try RemoteAddress("s3://b-1/p/q").place == .bucket("b-1", prefix: "p/q"))
        #expect(try RemoteAddress("file:///mnt/x").open().url == "file:///mnt/x")
    }

    @Test(
        "are refused with what to write instead",
        arguments: [
            ("", "file:///a/folder"), ("origin", "file:///a/folder"), ("/mnt/x", "file:///mnt/x"),
            ("file://mnt/x", "three slashes"), ("file://", "three slashes"),
            ("file:///", "below /"),
            ("file:///a/../b", "without .."), ("s3://", "names no bucket"),
            ("s3:///key", "names no bucket"),
            ("s3://bucket:9000/x", "no port"), ("s3://-b", "cannot be a bucket"),
            ("s3://b!x", "cannot be a bucket"),
            ("s3://bucket/a?b", "prefix"), ("s3://bucket/../x", "prefix"),
            ("s3://bucket/\(String(repeating: "x", count: 201))", "prefix"),
            ("http://localhost:8333/b", "--endpoint http://localhost:8333"),
            ("gs://bucket", "s3://BUCKET/PREFIX"),
            ("s3://bu\u{7}cket", "control"), ("file:///a\nb", "control"),
        ])
    func refused(_ text: String, _ words: String) {
        let error = #expect(throws: CambiumError.self) { try RemoteAddress(text) }
        #expect(error?.code == .usage)
        #expect(error?.message.contains(words) == true, "\(error?.message ?? "")")
    }

    @Test(
        "never take or repeat a password",
        arguments: [
            "s3://key:hunter2@bucket/x", "https://me:hunter2@host/b", "file://me:hunter2@host/x",
        ])
    func passwords(_ text: String) {
        let error = #expect(throws: CambiumError.self) { try RemoteAddress(text) }
        #expect(error?.code == .usage)
        #expect(error?.message.contains("hunter2") == false)
        var options = RemoteOptions()
        options.endpoint = "http://me:hunter2@host:1"
        let other = #expect(throws: CambiumError.self) {
            try RemoteAddress("s3://bucket").open(options) { TestServer.variables[$0] }
        }
        #expect(other?.code == .usage)
        #expect(other?.message.contains("hunter2") == false)
    }

    @Test(
        "an endpoint is a host with a scheme",
        arguments: ["localhost:8333", "ftp://host", "http://", "http://host/path", "http://ho st"])
    func endpoints(_ text: String) {
        var options = RemoteOptions()
        options.endpoint = text
        #expect(
            code { try RemoteAddress("s3://bucket").open(options) { TestServer.variables[$0] } }
                == .usage)
    }
}

@Suite("Credentials of remotes on S3")
struct CredentialTests {
    private func opening(
        _ variables: [String: String], _ change: (inout RemoteOptions) -> Void = { _ in }
    ) throws {
        var options = RemoteOptions()
        change(&options)
        _ = try RemoteAddress("s3://bucket").open(options) { variables[$0] }
    }

    @Test("without any the remote is not opened, unless it is asked to be")
    func none() throws {
        let error = #expect(throws: CambiumError.self) { try opening([:]) }
        #expect(error?.code == .denied)
        #expect(error?.message.contains("AWS_ACCESS_KEY_ID") == true)
        try opening([:]) { $0.isAnonymous = true }
        #expect(code { try opening(["AWS_ACCESS_KEY_ID": "a"]) } == .denied)
        #expect(
            code { try opening(["AWS_ACCESS_KEY_ID": "a\nb", "AWS_SECRET_ACCESS_KEY": "s"]) }
                == .usage)
    }

    @Test("profiles are read from the usual files")
    func profiles() throws {
        try withScratchDirectory { (home) throws in
            try makeDirectory(home + "/.aws")
            try writeFile(
                Array(
                    """
                    \u{FEFF}# comment
                    [default]
                    aws_access_key_id = one
                    aws_secret_access_key=two

                    [half]
                    aws_access_key_id = one
                    [my lab] # of the third floor
                    aws_access_key_id: one
                    aws_secret_access_key: two
                    """.utf8), to: home + "/.aws/credentials")
            try writeFile(
                Array(
                    """
                    [profile "my lab"]
                    region = a b
                    [profile role]
                    role_arn = arn:aws:iam::1:role/x
                    [profile odd]
                    endpoint_url = nonsense
                    aws_access_key_id = one
                    aws_secret_access_key = two
                    [profile service]
                    services = mine
                    aws_access_key_id = one
                    aws_secret_access_key = two
                    [services mine]
                    s3 =
                      endpoint_url = nonsense too
                    """.utf8), to: home + "/.aws/config")
            let variables = ["HOME": home]
            try opening(variables)
            // The region shows that both files' sections were found.
            let lab = #expect(throws: CambiumError.self) {
                try opening(variables) { $0.profile = "my lab" }
            }
            #expect(lab?.message.contains("region") == true)
            try opening(variables) { ($0.profile, $0.region) = ("my lab", "x") }
            try opening([
                "HOME": home, "AWS_SHARED_CREDENTIALS_FILE": "~/.aws/credentials",
                "AWS_CONFIG_FILE": "~/.aws/config",
            ])
            let absent = #expect(throws: CambiumError.self) {
                try opening(["HOME": home, "AWS_CONFIG_FILE": "~/none"])
            }
            #expect(absent?.code == .usage)
            #expect(absent?.message.contains("AWS_CONFIG_FILE") == true)
            #expect(code { try opening(variables) { $0.profile = "half" } } == .denied)
            #expect(code { try opening(variables) { $0.profile = "none" } } == .denied)
            #expect(code { try opening(["HOME": home, "AWS_PROFILE": "none"]) } == .denied)
            // Where the profile's endpoint is used, it is refused as what it is.
            #expect(code { try opening(variables) { $0.profile = "odd" } } == .usage)
            #expect(code { try opening(variables) { $0.profile = "service" } } == .usage)
            try opening(["HOME": home, "AWS_ENDPOINT_URL_S3": "http://h"]) { $0.profile = "odd" }
            let error = #expect(throws: CambiumError.self) {
                try opening(variables) { $0.profile = "role" }
            }
            #expect(error?.code == .denied)
            #expect(error?.message.contains("role_arn") == true)
            #expect(
                code {
                    try opening(["HOME": home, "AWS_SHARED_CREDENTIALS_FILE": "/dev/null"])
                } == .denied)
            let config = home + "/config"
            try writeFile(Array("aws_secret_access_key hunter2\n".utf8), to: config)
            let bad = #expect(throws: CambiumError.self) {
                try opening(["AWS_CONFIG_FILE": config])
            }
            #expect(bad?.code == .usage)
            #expect(bad?.message.contains("hunter2") == false)
        }
    }

    @Test("a file of certificates is looked at where it is named, whatever the scheme")
    func certificates() throws {
        try withScratchDirectory { (folder) throws in
            try writeFile(Array("-----BEGIN PRIVATE KEY-----".utf8), to: folder + "/key.pem")
            try writeFile(
                Array("text\n-----BEGIN CERTIFICATE-----\n".utf8), to: folder + "/ca.pem")
            let keys = ["AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"]
            try opening(keys) { ($0.endpoint, $0.caFile) = ("http://h", folder + "/ca.pem") }
            for (name, expected) in [("key.pem", CambiumError.Code.usage), ("none", .notFound)] {
                let error = #expect(throws: CambiumError.self) {
                    try opening(keys) {
                        ($0.endpoint, $0.caFile) = ("http://h", "\(folder)/\(name)")
                    }
                }
                #expect(error?.code == expected)
                #expect(error?.message.contains(name) == true)
            }
        }
    }
}
