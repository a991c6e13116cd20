package import Elements
package import Interchange
package import KeyValue
package import Snapshots

/// What went wrong, for a person and for a program.
public struct StoreError: Error, Sendable, CustomStringConvertible {
    /// The kind of failure; a struct, so that a new kind breaks no caller.
    public struct Code: RawRepresentable, Hashable, Sendable {
        /// A stable word, for example `branch-moved`.
        public let rawValue: String

        /// Wraps a word.
        public init(rawValue: String) { self.rawValue = rawValue }

        /// A revision, branch, tag, file or expert that does not exist.
        public static let notFound = Code(rawValue: "not-found")
        /// A hash prefix that several commits share.
        public static let ambiguous = Code(rawValue: "ambiguous")
        /// Something that was to be made exists already.
        public static let exists = Code(rawValue: "exists")
        /// The branch is not where it was expected; read it again and retry.
        public static let branchMoved = Code(rawValue: "branch-moved")
        /// Two sides of a merge changed the same thing differently.
        public static let conflict = Code(rawValue: "conflict")
        /// Something stored is not what its name says.
        public static let corrupt = Code(rawValue: "corrupt")
        /// No space left on the disk.
        public static let diskFull = Code(rawValue: "disk-full")
        /// The store or its disk cannot be written.
        public static let readOnly = Code(rawValue: "read-only")
        /// Another process has what is needed.
        public static let busy = Code(rawValue: "busy")
        /// The directory is not a store.
        public static let notAStore = Code(rawValue: "not-a-store")
        /// The call's own words cannot be used together or do not mean anything.
        public static let usage = Code(rawValue: "usage")
        /// Bytes, rows or a tensor that do not fit the model they are put into.
        public static let badShape = Code(rawValue: "bad-shape")
        /// The model cannot do what was asked, for example run.
        public static let unsupported = Code(rawValue: "unsupported")
        /// A file of the store has another name: a copy made of hard links shares it.
        public static let hardLinked = Code(rawValue: "hard-linked")
        /// A limit of the process, as `ulimit` sets it: descriptors, address space, length of files.
        public static let limit = Code(rawValue: "limit")
        /// A failure of the operating system.
        public static let io = Code(rawValue: "io")
        /// A model that would not run as its branch's history does.
        public static let unfit = Code(rawValue: "unfit")
        /// Training that was told to stop; nothing was committed.
        public static let cancelled = Code(rawValue: "cancelled")
        /// Something that other things depend on, and that was to be taken away.
        public static let dependedOn = Code(rawValue: "depended-on")
        /// More than can be read, kept or made.
        public static let tooLarge = Code(rawValue: "too-large")
        /// A loss that is not a finite number.
        public static let diverged = Code(rawValue: "diverged")
    }

    /// The kind of failure.
    public let code: Code
    /// What happened, with the value, and what to do.
    public let message: String

    /// Makes an error of the façade itself.
    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    /// The message.
    public var description: String { message }
}

extension StoreError: CarriesInterchangeError {
    package init(_ cause: KeyValueError) { self.init(SnapshotError(cause)) }

    package init(_ cause: SnapshotError) {
        self.init(Code(rawValue: cause.code.rawValue), cause.message)
    }

    package init(_ cause: InterchangeError) {
        self.init(Code(rawValue: cause.code.rawValue), cause.message)
    }

    package init(_ cause: ModelError) {
        if let snapshot = cause.cause as? SnapshotError {
            self.init(Code(rawValue: snapshot.code.rawValue), cause.description)
        } else {
            self.init(Code(rawValue: cause.code.rawValue), cause.description)
        }
    }
}

/// Runs `body` and carries an error of the snapshot layer to the façade.
func carrying<Result: ~Copyable>(_ body: () throws(SnapshotError) -> Result) throws(StoreError)
    -> Result
{
    do throws(SnapshotError) {
        return try body()
    } catch {
        throw StoreError(error)
    }
}

/// Runs `body` and carries an error of the interchange layer to the façade.
func reading<Result: ~Copyable>(_ body: () throws(InterchangeError) -> Result) throws(StoreError)
    -> Result
{
    do throws(InterchangeError) {
        return try body()
    } catch {
        throw StoreError(error)
    }
}

/// Runs `body` and carries an error of the models to the façade.
func running<Result: ~Copyable>(_ body: () throws(ModelError) -> Result) throws(StoreError)
    -> Result
{
    do throws(ModelError) {
        return try body()
    } catch {
        throw StoreError(error)
    }
}
