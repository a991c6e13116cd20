internal import ArgumentParser
internal import Cambium

/// `trunk`, `experts`, or both with a comma between them.
struct FrozenParts: ExpressibleByArgument {
    private(set) var (trunk, experts) = (false, false)

    init?(argument: String) {
        for part in argument.split(separator: ",", omittingEmptySubsequences: false) {
            switch part {
            case "trunk": trunk = true
            case "experts": experts = true
            default: return nil
            }
        }
    }

    static var allValueStrings: [String] { ["trunk", "experts"] }
}

/// `dense`, `small`, `lora` or `lora:RANK`.
struct AdapterKind: ExpressibleByArgument, CustomStringConvertible {
    let form: AdapterForm

    init(form: AdapterForm) { self.form = form }

    init?(argument: String) {
        switch argument {
        case "dense": form = .dense
        case "small": form = .small
        case "lora": form = .lowRank(16)
        default:
            guard argument.hasPrefix("lora:"), let rank = Int(argument.dropFirst(5)), rank > 0
            else { return nil }
            form = .lowRank(rank)
        }
    }

    var description: String {
        switch form {
        case .dense: "dense"
        case .small: "small"
        case .lowRank(let rank): "lora:\(rank)"
        }
    }
}
