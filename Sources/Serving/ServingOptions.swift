package import Cambium

/// How a store is served.
package struct ServingOptions: Sendable {
    package var host = "127.0.0.1"
    package var port = 8080
    /// Models that are loaded before the server is ready.
    package var revisions: [String] = []
    package var limits = ServingLimits()
    package var model = ModelOptions()
    /// Models in memory.
    package var mostModels = 16
    package var threads = 1
    /// Whether names stay at the commits that they meant first.
    package var pins = false
    /// Whether merges may be committed in the browser.
    package var allowsEdit = false
    /// What clients have to show; nil for nothing.
    package var apiKey: String?
    /// Seconds that running answers have when the server is told to stop.
    package var stopSeconds = 30
    package var logLevel = "info"

    package init() {}
}
