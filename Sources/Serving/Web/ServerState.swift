internal import Pages
internal import Synchronization

/// What routes know of the server.
final class ServerState: Sendable {
    let engine: Engine
    let apiKey: String?
    /// Names that requests may have as their host; nil for any.
    let hosts: Set<String>?
    /// The store in a browser.
    let site: Site
    private let ready = Mutex(false)

    init(_ engine: Engine, _ site: Site, apiKey: String?, hosts: Set<String>?) {
        self.engine = engine
        self.site = site
        self.apiKey = apiKey
        self.hosts = hosts
    }

    /// Whether it takes requests: the models that it was started with are in memory, and it is not about to stop.
    var isReady: Bool { ready.withLock { $0 } }

    func setReady(_ isReady: Bool) { ready.withLock { $0 = isReady } }
}
