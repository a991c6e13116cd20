internal import ArgumentParser
internal import Cambium

struct RemoteCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remote",
        abstract: "Name, list, check and clean the remotes of a store.",
        discussion: """
            A remote is a place that keeps commits of several stores: a folder, also one that machines share \
            (NFS, Lustre), or a bucket of an object store. It needs no server of ours. Credentials come from \
            AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile in ~/.aws; they are never stored.

            cambium remote add origin file:///mnt/shared/models
            cambium remote add origin s3://bucket/models --endpoint https://s3.lab.org
            cambium push && cambium fetch
            """,
        subcommands: [
            RemoteAddCommand.self, RemoteListCommand.self, RemoteRemoveCommand.self,
            RemoteCheckCommand.self, RemoteGcCommand.self,
        ])
}

struct RemoteAddCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "add",
        abstract: "Name a remote, after trying that it keeps its word.",
        discussion: """
            Two pushes to one branch at a time must not overwrite each other, so the remote must refuse to \
            create what exists. That is tried with scratch keys; a server that ignores it is refused.

            cambium remote add origin file:///mnt/shared/models
            cambium remote add origin s3://bucket/models --profile lab --region eu-central-1
            """)

    @Argument(help: "What to call it; `origin` is the one that is meant when none is named.")
    var name: String

    @Argument(help: "file:///a/folder or s3://BUCKET/PREFIX.")
    var url: String

    @OptionGroup var access: AccessOptions
    @OptionGroup var global: GlobalOptions

    func run(_ console: Console) throws {
        let remote = try openStore().addRemote(name, url: url, access.access)
        console.show(RemoteReport(remote: remote, verb: "added"))
    }
}

struct RemoteListCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "ls", abstract: "List the remotes and where they are.",
        discussion: "cambium remote ls")

    @OptionGroup var global: GlobalOptions

    func run(_ console: Console) throws {
        console.show(RemotesReport(remotes: try openForReading().remotes()))
    }
}

struct RemoteRemoveCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "rm",
        abstract: "Forget a remote; what it keeps stays there.",
        discussion: "cambium remote rm origin")

    @Argument(help: "Its name.", completion: Completion.remotes)
    var name: String

    @OptionGroup var global: GlobalOptions

    func run(_ console: Console) throws {
        let store = try openStore()
        guard let remote = try store.remotes().first(where: { $0.name == name }) else {
            try store.removeRemote(name)
            return
        }
        try store.removeRemote(name)
        console.show(RemoteReport(remote: remote, verb: "forgot"))
    }
}

struct RemoteCheckCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Look whether a remote keeps its word, and whether all is there.",
        discussion: """
            cambium remote check            # lists what branches and tags name
            cambium remote check --read     # reads all of it and hashes it
            """)

    @Argument(help: "Its name (default: origin, or the only one).", completion: Completion.remotes)
    var name: String?

    @Flag(name: .customLong("read"), help: "Read all data and check them against their names.")
    var readsAll = false

    @OptionGroup var transfer: TransferChoices
    @OptionGroup var global: GlobalOptions

    func run(_ console: Console) throws {
        let store = try openForReading()
        let check = try console.withTransfer("check") { progress in
            try store.checkRemote(
                name, readsAll: readsAll, transfer: transfer.options, progress: progress.report)
        }
        console.show(RemoteCheckReport(check: check))
        if !check.faults.isEmpty { throw Ended(status: .corrupt) }
    }
}

struct RemoteGcCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "gc",
        abstract:
            "Find what no branch or tag of a remote needs; --prune marks it, and later removes it.",
        discussion: """
            Two phases, so that nothing goes that a push relies on: --prune writes down what is not needed, \
            and removes what an earlier --prune wrote down a grace period ago, if it still is not needed. Only \
            the remote's clock counts. Run it now and then, by cron for example.

            cambium remote gc
            cambium remote gc --prune
            """)

    @Argument(help: "Its name (default: origin, or the only one).", completion: Completion.remotes)
    var name: String?

    @Flag(help: "Mark it, and remove what was marked long enough ago.")
    var prune = false

    @Option(
        help: ArgumentHelp(
            "How long what was replaced or marked is kept: 14d (the default), at least 24h.",
            valueName: "duration"))
    var grace: GraceOption = .standard

    @OptionGroup var transfer: TransferChoices
    @OptionGroup var global: GlobalOptions

    func run(_ console: Console) throws {
        let store = try openForReading()
        let result = try console.withTransfer("gc") { progress in
            try store.collectRemote(
                name, prune: prune, grace: grace.seconds, transfer: transfer.options,
                progress: progress.report)
        }
        console.show(RemoteGcReport(result: result, grace: grace.description))
    }
}
