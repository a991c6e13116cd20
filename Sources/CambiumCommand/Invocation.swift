internal import ArgumentParser
internal import Cambium

/// One run of the program: its arguments, and how it ends.
struct Invocation {
    private let arguments: [String]
    private let isJSON: Bool
    private let unreadable: Int?

    /// Takes the arguments after the program's name, and the position of one that is not UTF-8.
    init(_ arguments: [String], unreadable: Int? = nil) {
        self.unreadable = unreadable
        self.arguments = Self.ordered(OldWords.renewed(arguments))
        isJSON = arguments.prefix { $0 != "--" }.contains("--json")
    }

    /// Parses, runs and tells what went wrong.
    func run() -> Int32 {
        if let unreadable {
            return tell(
                Failure(
                    .usage, "argument \(unreadable) is not UTF-8",
                    hint: arguments.contains("--prompt")
                        ? "`--prompt -` reads any bytes from standard input"
                        : "names of files and folders must be UTF-8: rename it, or go into its folder and "
                            + "name it `.`"))
        }
        if let page = unknownPage { return tell(unknown(page)) }
        do {
            var command = try CambiumRoot.parseAsRoot(arguments)
            try command.run()
            return ExitStatus.success.rawValue
        } catch let ended as Ended {
            return ended.status
        } catch let error as CambiumError {
            return tell(Failure(error))
        } catch let failure as Failure {
            return tell(failure)
        } catch {
            return end(error)
        }
    }

    /// Ends with a request for help, a version or a completion script, or with a usage error.
    private func end(_ error: any Error) -> Int32 {
        let text = CambiumRoot.fullMessage(for: error)
        if CambiumRoot.exitCode(for: error).isSuccess {
            Terminal.needOutput()
            Terminal.write(text + "\n", to: .output)
            return ExitStatus.success.rawValue
        }
        guard let name = arguments.first(where: { $0 != "help" }), !name.hasPrefix("-") else {
            let isBare = Self.commandIndex(in: arguments) == arguments.count
            let message = isBare ? "no command was given" : CambiumRoot.message(for: error)
            return tell(Failure(.usage, message, hint: "`cambium help` lists the commands"))
        }
        guard CambiumRoot.names.contains(name) else { return tell(unknown(name)) }
        if arguments.contains("--abort") || arguments.contains("--continue") {
            return tell(
                Failure(
                    .usage, "cambium \(name) leaves nothing half done",
                    hint:
                        "what stops, for example at conflicts, has written nothing: give the command again, "
                        + "with --take or --policy to settle conflicts"))
        }
        return tell(
            Failure(
                .usage, CambiumRoot.message(for: error),
                hint: "`cambium help \(page(of: name))` shows how it is used"))
    }

    /// The page of help of a command, or of the one of its commands that was called.
    private func page(of name: String) -> String {
        guard CambiumRoot.groups.contains(name),
            let next = arguments.drop(while: { $0 != name }).dropFirst().first,
            CambiumRoot.commands(of: name).contains(next)
        else { return name }
        return "\(name) \(next)"
    }

    /// The page of help that was asked for and does not exist; the parser would show the first page.
    private var unknownPage: String? {
        guard arguments.first == "help", arguments.count > 1 else { return nil }
        let page = arguments[1]
        return page.hasPrefix("-") || CambiumRoot.pages.contains(page) ? nil : page
    }

    private func unknown(_ name: String) -> Failure {
        let nearest = Spelling.nearest(to: name, in: CambiumRoot.names)
        return Failure(
            .usage, "there is no command '\(name)'",
            hint: Self.elsewhere[name] ?? nearest.map { "did you mean `cambium \($0)`?" }
                ?? "`cambium help` lists the commands")
    }

    /// What commands of other programs are here.
    private static let elsewhere = [
        "checkout":
            "`cambium switch BRANCH` goes to a branch; `cambium export REV DIR` writes a model's files",
        "clone": "there are no remotes yet: `cambium backup DIR` copies a whole store",
        "push": "there are no remotes yet: `cambium backup DIR` copies a whole store",
        "pull": "there are no remotes yet; `cambium merge BRANCH` unites branches of one store",
        "fetch": "there are no remotes yet; `cambium merge BRANCH` unites branches of one store",
        "add":
            "there is nothing to stage: `cambium commit CHECKPOINT` takes a folder or a file whole",
        "stash":
            "a store has no working copy: `cambium commit CHECKPOINT --branch NAME` keeps anything",
        "rebase": "`cambium merge` and `cambium revert` change what a branch has",
        "rm":
            "`cambium branch --delete` or `cambium tag --delete` remove names; `cambium gc` what nothing needs",
        "cp":
            "`cambium backup DIR` copies a whole store, `cambium branch NEW REV` names a commit again",
        "prune": "`cambium gc --prune` removes what nothing needs",
        "fsck": "`cambium verify` checks everything",
        "init-db": "`cambium init DIR` makes a store",
        "restore-backup": "a backup is a store: name it with -C, or move it into place",
    ]

    private func tell(_ failure: Failure) -> Int32 {
        let allowsColor = !arguments.contains("--no-color")
        let lines =
            isJSON ? [failure.json] : failure.lines(.of(.error, allowsColor: allowsColor))
        Terminal.write(lines.joined(separator: "\n") + "\n", to: .error)
        return failure.status.rawValue
    }

    /// Moves global options that stand before the command's name behind it: the parser knows them
    /// there only.
    static func ordered(_ arguments: [String]) -> [String] {
        let index = commandIndex(in: arguments)
        guard index > 0, index < arguments.count, !arguments[index].hasPrefix("-") else {
            return arguments
        }
        let command = arguments[index]
        var end = index + 1
        // A command of commands has no options of its own.
        if CambiumRoot.groups.contains(command), end < arguments.count,
            !arguments[end].hasPrefix("-")
        {
            end += 1
        }
        // `help` takes the names of commands only.
        return Array(arguments[index..<end]) + (command == "help" ? [] : arguments[..<index])
            + arguments[end...]
    }

    /// Where the command's name stands: behind the global options.
    private static func commandIndex(in arguments: [String]) -> Int {
        var index = 0
        while index < arguments.count {
            let argument = arguments[index]
            let name = String(argument.prefix { $0 != "=" })
            if GlobalOptions.valued.contains(argument) {
                index += 2
            } else if GlobalOptions.flags.contains(argument)
                || (argument.contains("=") && GlobalOptions.valued.contains(name))
            {
                index += 1
            } else {
                break
            }
        }
        return index
    }
}
