internal import Elements

/// What a walk through LMDB's own pages found.
package struct PageReport: Sendable {
    package let damages: [PageDamage]
    /// Damages beyond those.
    package let unlisted: Int

    /// Pages in the list of free ones, where it was read.
    let freePages: Int

    static let sound = PageReport(damages: [])

    init(damages: [PageDamage], unlisted: Int = 0, freePages: Int = 0) {
        self.damages = damages
        self.unlisted = unlisted
        self.freePages = freePages
    }

    /// Throws `.corrupt` with the first damages, when there are any.
    func check(_ path: String) throws {
        guard !damages.isEmpty else { return }
        let first = damages.prefix(3).map { "\($0.subject): \($0.message)" }.joined(separator: "; ")
        let rest = damages.count + unlisted - min(3, damages.count)
        throw CambiumError(
            .corrupt,
            "\(path)/data.mdb is damaged on disk: \(first)"
                + (rest > 0 ? "; and \(rest) more" : "")
                + ". `cambium verify` lists all; restore the store from a backup")
    }
}
