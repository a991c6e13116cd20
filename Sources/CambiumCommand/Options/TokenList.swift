internal import ArgumentParser

/// Token ids with commas between: 1,178,199.
struct TokenList: ExpressibleByArgument {
    let ids: [Int]

    init?(argument: String) {
        var ids: [Int] = []
        for word in argument.split(separator: ",", omittingEmptySubsequences: false) {
            guard let id = Int(word.drop { $0 == " " }), id >= 0 else { return nil }
            ids.append(id)
        }
        self.ids = ids
    }
}
