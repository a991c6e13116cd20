extension CambiumError {
    /// The kinds of failure: a closed list, each with a stable word (`rawValue`) that JSON carries.
    public enum Code: String, CaseIterable, Sendable {
        // MARK: What was asked for

        /// A revision, branch, tag, file, tensor or expert that does not exist.
        case notFound = "not-found"
        /// The directory is not a store.
        case notAStore = "not-a-store"
        /// A hash prefix that several commits share.
        case ambiguous
        /// Something that was to be made exists already.
        case exists
        /// The call's own words cannot be used together or do not mean anything.
        case usage
        /// A name that a branch, a tag or a file cannot have.
        case badName = "bad-name"
        /// A revision that cannot be read.
        case badRevision = "bad-revision"
        /// A prompt, a text or an option that cannot be used.
        case badInput = "bad-input"
        /// Bytes, rows or a tensor that do not fit the model they are put into.
        case badShape = "bad-shape"
        /// More than can be read, kept or made.
        case tooLarge = "too-large"

        // MARK: Histories

        /// The branch is not where it was expected; read it again and retry.
        case branchMoved = "branch-moved"
        /// Two sides of a merge changed the same thing differently.
        case conflict
        /// Two histories without a common commit.
        case unrelated = "unrelated-histories"
        /// Two things that are not of one kind or form.
        case incompatible
        /// Something that other things depend on, and that was to be taken away.
        case dependedOn = "depended-on"

        // MARK: The store and its disk

        /// Something stored is not what its name says.
        case corrupt
        /// No space left on the disk.
        case diskFull = "disk-full"
        /// The store or its disk cannot be written.
        case readOnly = "read-only"
        /// Another process has what is needed.
        case busy
        /// A file of the store has another name: a copy made of hard links shares it.
        case hardLinked = "hard-linked"
        /// A limit of the process, as `ulimit` or a memory limit sets it: descriptors, address space, length of files.
        case limit
        /// A failure of the operating system.
        case io
        /// A store of an older version; `migrate` brings it up.
        case formatTooOld = "format-too-old"
        /// A store of a newer version.
        case formatTooNew = "format-too-new"
        /// A file changed while it was being read.
        case changed

        // MARK: Remotes

        /// A remote that cannot be reached, does not answer in time, or answers with what makes no sense.
        case network
        /// A remote that refuses the credentials, or asks for some where there are none.
        case denied
        /// A remote that does not do what is needed: it ignores conditions, or it is none.
        case remote

        // MARK: Checkpoints and their files

        /// The path holds no checkpoint.
        case notACheckpoint = "not-a-checkpoint"
        /// A file ends before what it announces.
        case truncated
        /// A safetensors header is not what the format allows.
        case badHeader = "bad-header"
        /// A dtype that the format does not know.
        case unknownType = "unknown-type"
        /// Two tensors, fields or keys of one name.
        case duplicateName = "duplicate-name"
        /// Two tensors share bytes.
        case overlap
        /// Bytes that belong to no tensor: between two, or after the last.
        case hole
        /// A sharded checkpoint's index is not what it should be.
        case badIndex = "bad-index"
        /// A shard that the index names is not there.
        case missingShard = "missing-shard"
        /// A tensor in a shard that the index does not list.
        case unlistedTensor = "unlisted-tensor"
        /// The config and the tensors contradict each other, or the config cannot be read.
        case badConfig = "bad-config"
        /// tokenizer.json is not JSON, or lacks what a tokenizer needs.
        case badTokenizer = "bad-tokenizer"

        // MARK: Models, training and evidence

        /// The model cannot do what was asked, for example run.
        case unsupported
        /// A model that would not run as its branch's history does.
        case unfit
        /// A tensor or an expert table that the config, the index or other experts ask for is missing.
        case missingTensor = "missing-tensor"
        /// A tensor has another shape or dtype than the config says.
        case badTensor = "bad-tensor"
        /// There are tensors that the model would not use.
        case unusedTensor = "unused-tensor"
        /// More tokens than the context has room for.
        case contextFull = "context-full"
        /// The model computed NaN or infinity where a number is needed.
        case notFinite = "not-finite"
        /// A split pattern takes too many steps on a text.
        case tooHard = "too-hard"
        /// A loss that is not a finite number.
        case diverged
        /// What was told to stop; nothing was committed.
        case cancelled
        /// A sum that leaves its integers.
        case overflow
        /// Too little evidence, or contradictory, to solve a router from.
        case unsolvable
    }
}
