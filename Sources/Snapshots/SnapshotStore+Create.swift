internal import Elements
internal import Files
internal import KeyValue
internal import Objects

extension SnapshotStore {
    /// Makes a new, empty store with the branch `branch` checked out.
    ///
    /// The directory is created; an existing one must not hold a store.
    ///
    /// The file is made aside and put in place by one rename: where there is a `data.mdb`, it is a
    /// whole store.
    /// - Throws: `.exists`, `.badName`.
    package static func create(
        at directory: String, branch: String = "main",
        observer: (@Sendable (String) -> Void)? = nil
    ) throws {
        try ReferenceName.check(branch, "branch")
        try makeDirectory(directory)
        try checkPlace(directory)
        // Looked at twice: whoever has a store open holds its lock, and two may create at once.
        let alone = try lock(directory, "use.lock", .exclusive, wait: true)
        try checkPlace(directory)
        let aside = directory + "/" + StoreNames.random(StoreNames.newStore)
        try makeStoreFolder(directory + "/leases")
        // Left over from attempts that were interrupted.
        for name in try directoryContents(directory)
        where StoreNames.isRandom(name, StoreNames.newStore) {
            removeUnfinished(directory + "/" + name)
        }
        try makeNewDirectory(aside)
        do {
            try writeEmpty(aside, branch, observer)
            observer?("init: before rename")
            try placeFile(directory + "/data.mdb", from: aside + "/data.mdb", in: directory)
            observer?("init: after rename")
        } catch {
            removeUnfinished(aside)
            throw error
        }
        removeUnfinished(aside)
        // Who may only read the store takes these locks, too, and cannot make them.
        for name in StoreNames.lockFiles where name != "use.lock" {
            _ = try lock(directory, name, .shared, wait: true)
        }
        Reserve.keep(in: directory, size: 1 << 20)
        _ = alone
    }

    /// Refuses a folder that has a file by the name of a store's.
    private static func checkPlace(_ directory: String) throws {
        let data = directory + "/data.mdb"
        guard !fileExists(data) else {
            let isStore = isRegularFile(data)
            throw CambiumError(
                .exists,
                isStore
                    ? "\(directory) holds a store already"
                    : "\(data) exists and is no file of a store; choose another folder")
        }
        let lock = directory + "/lock.mdb"
        let isOurs: Bool = fileExists(lock) ? try Environment.isLockFile(lock) : true
        guard isOurs else {
            throw CambiumError(
                .exists,
                "\(lock) exists and is not LMDB's, which would overwrite it; choose another folder")
        }
    }

    /// Writes an empty store's file and closes it.
    private static func writeEmpty(
        _ directory: String, _ branch: String, _ observer: (@Sendable (String) -> Void)?
    ) throws {
        let environment: Environment = try EnvironmentRegistry.open(
            directory, tables: tables, readOnly: false, creating: true, observer: observer)
        try environment.write("init") { transaction in
            try setFormat(format, transaction)
            try transaction.putChecked(
                transaction.environment.table(referenceTable), Head.key,
                Head.branch(branch).encoded)
        }
    }

    /// Removes what `create` makes aside, and nothing else; a link is not followed.
    ///
    /// What fails stays.
    private static func removeUnfinished(_ directory: String) {
        do {
            try checkStoreFolder(directory)
            for name in ["data.mdb", "lock.mdb"] where isRegularFile(directory + "/" + name) {
                try removeFile(directory + "/" + name)
            }
            try removeDirectory(directory)
        } catch {
            // A user's file is in it, or it cannot be written.
            return
        }
    }
}
