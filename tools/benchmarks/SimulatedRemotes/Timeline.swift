internal import Dispatch
internal import Elements
internal import HeapModule
internal import Remotes
internal import Synchronization

/// Lines of work that run one at a time, in the order of a clock that nobody waits for.
///
/// Each is a thread that runs until it waits for a moment; then the one whose moment is the earliest goes on. So the
/// same work gives the same order, whatever the machine does beside it, and days take seconds.
package final class Timeline: Sendable {
    /// One line of work.
    package final class Line: Sendable {
        fileprivate let turn = DispatchSemaphore(value: 0)
        fileprivate let clock: Atomic<Int64>
        fileprivate let end = Mutex<(isOver: Bool, waits: Line?)>((false, nil))

        fileprivate init(at time: Int64) { clock = Atomic(time) }

        /// Microseconds since the beginning; may be ahead of the others between two waits.
        package var now: Int64 { clock.load(ordering: .relaxed) }

        /// Lets time pass that nobody else can notice, such as that until an answer has come.
        package func pass(_ microseconds: Int64) {
            clock.add(max(0, microseconds), ordering: .relaxed)
        }
    }

    private enum Step: Sendable {
        case goOn(Line)
        case begin(Line, @Sendable () -> Void)
        case act(@Sendable () -> Void)
    }

    private struct Event: Comparable, Sendable {
        let time: Int64
        let number: UInt64
        let step: Step

        static func < (left: Event, right: Event) -> Bool {
            (left.time, left.number) < (right.time, right.number)
        }

        static func == (left: Event, right: Event) -> Bool { left.number == right.number }
    }

    private struct State {
        var events = Heap<Event>()
        var number: UInt64 = 0
    }

    /// The line whose thread this is.
    @TaskLocal package static var current: Line?

    private let state = Mutex(State())
    private let over = DispatchSemaphore(value: 0)

    package init() {}

    /// Begins a line when its time comes.
    @discardableResult
    package func begin(at time: Int64, _ body: @escaping @Sendable () -> Void) -> Line {
        let line = Line(at: time)
        add(time, .begin(line, body))
        return line
    }

    /// Does something at a moment, of nobody's doing.
    package func act(at time: Int64, _ body: @escaping @Sendable () -> Void) {
        add(time, .act(body))
    }

    /// Runs until nothing is left to be done.
    package func run() {
        next()
        over.wait()
    }

    /// Lets others go first, until a moment.
    package func wait(_ line: Line, until time: Int64) {
        line.clock.store(max(time, line.now), ordering: .relaxed)
        add(line.now, .goOn(line))
        guard !next(after: line) else { return }
        line.turn.wait()
    }

    private func add(_ time: Int64, _ step: Step) {
        state.withLock { state in
            state.number += 1
            state.events.insert(Event(time: time, number: state.number, step: step))
        }
    }

    /// Hands the turn to the earliest; whether that is the one who asks.
    @discardableResult
    private func next(after line: Line? = nil) -> Bool {
        while let event = state.withLock({ $0.events.popMin() }) {
            switch event.step {
            case .act(let body): body()
            case .goOn(let other):
                if other === line { return true }
                other.turn.signal()
                return false
            case .begin(let other, let body):
                start(other, body)
                return false
            }
        }
        over.signal()
        return false
    }

    private func start(_ line: Line, _ body: @escaping @Sendable () -> Void) {
        let work = { @Sendable [self] in
            Self.$current.withValue(line) {
                let starter = WorkThreads.Starter { [self] in fork(line, $0) }
                WorkThreads.$starter.withValue(starter, operation: body)
            }
            let waits = line.end.withLock { end in
                end.isOver = true
                return end.waits
            }
            if let waits {
                waits.clock.store(max(waits.now, line.now), ordering: .relaxed)
                add(waits.now, .goOn(waits))
            }
            next()
        }
        _ = Background(work)
    }

    /// Another line of the same client, begun now; the answer waits for its end.
    private func fork(
        _ parent: Line, _ body: @escaping @Sendable () -> Void
    ) -> @Sendable () -> Void {
        let child = begin(at: parent.now, body)
        return { [self] in
            let isOver = child.end.withLock { end in
                if !end.isOver { end.waits = parent }
                return end.isOver
            }
            if isOver {
                parent.clock.store(max(parent.now, child.now), ordering: .relaxed)
            } else {
                next()
                parent.turn.wait()
            }
        }
    }
}
