internal import Objects
internal import Synchronization
internal import Tensors

/// What a part of a model computes with, by which models of one structure are told to have the same part.
///
/// The same part of two models of one structure (see `ModelDescription.structure`) gives the same bits when the contents are
/// equal: what a part is made of is given by its description and by the tensors that it reads, and a tensor by its id.
struct PartContent: Sendable, Hashable {
    private struct Tensor: Sendable, Hashable {
        let name: String
        let id: ObjectID
    }

    /// In the order in which they are read.
    private var tensors: [Tensor] = []
    /// How experts are kept, which their description does not say.
    private var form: GatedExpertForm?
    /// Of a part of which not all ids are known: it is equal to itself alone.
    private var number: Int?

    private static let numbers = Atomic(0)

    /// - Parameter read: What was read, with the ids as far as they are known.
    init(_ read: [(name: String, id: ObjectID?)]) {
        for (name, id) in read {
            guard let id else {
                self = .alone
                return
            }
            tensors.append(Tensor(name: name, id: id))
        }
    }

    /// Of a part that no other is equal to.
    static var alone: PartContent {
        var content = PartContent([])
        content.number = numbers.wrappingAdd(1, ordering: .relaxed).newValue
        return content
    }

    /// The content of two parts together.
    func joined(_ other: PartContent) -> PartContent {
        var content = self
        content.tensors += other.tensors
        content.number = number ?? other.number
        return content
    }

    /// The same with experts that are kept in a form.
    func with(_ form: GatedExpertForm?) -> PartContent {
        var content = self
        content.form = form
        return content
    }
}
