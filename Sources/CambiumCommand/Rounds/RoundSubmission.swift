internal import Cambium
internal import FoundationEssentials
internal import Reporting

/// Rounds that were submitted together: what `round status` looks for, kept in a file of the submission's folder.
struct RoundSubmission: Codable, Equatable {
    struct Task: Codable, Equatable {
        let index: Int
        let name: String
        let branch: String
        /// The round's key.
        let key: String
    }

    var schema = 1
    let name: String
    /// `slurm` or `local`.
    let engine: String
    /// The remote's URL.
    let remote: String
    let access: RemoteAccess
    let base: String
    /// The branch that has it.
    let baseBranch: String
    let into: String
    let tasks: [Task]
    /// Of processes of this machine that have ended: how, by the task's number, and the merge.
    var statuses: [String: Int32] = [:]
    /// Of Slurm: the array's job, and the merge's.
    var job: String?
    var mergeJob: String?

    static let fileName = "round.json"

    /// Reads the file of a folder.
    ///
    /// - Throws: `not-found`, `bad-input`.
    init(folder: String) throws {
        let path = "\(folder)/\(Self.fileName)"
        guard let data = FileManager.default.contents(atPath: path) else {
            throw Failure(
                .notFound, "there is no \(path)",
                hint: "`cambium round submit` makes it; name the folder that it told")
        }
        do {
            self = try JSONDecoder().decode(Self.self, from: data)
        } catch {
            throw Failure(.badInput, "\(path) is no submission of rounds: \(error)")
        }
        guard schema == 1 else {
            throw Failure(.badInput, "\(path) is of a later version (\(schema))")
        }
    }

    init(
        name: String, engine: String, remote: String, access: RemoteAccess, base: String,
        baseBranch: String,
        into: String, tasks: [Task]
    ) {
        self.name = name
        self.engine = engine
        self.remote = remote
        self.access = access
        self.base = base
        self.baseBranch = baseBranch
        self.into = into
        self.tasks = tasks
    }

    /// What was submitted in a folder before; nil where nothing was.
    ///
    /// - Throws: `bad-input` for what cannot be read.
    static func before(in folder: String) throws -> RoundSubmission? {
        guard ScratchFolder.exists("\(folder)/\(fileName)") else { return nil }
        return try RoundSubmission(folder: folder)
    }

    func write(to folder: String) throws {
        try ScratchFolder.write(JSONText.encode(self) + "\n", to: "\(folder)/\(Self.fileName)")
    }

    /// A task's words, as of all engines.
    static func log(_ index: Int, in folder: String) -> String { "\(folder)/task-\(index).log" }
}
