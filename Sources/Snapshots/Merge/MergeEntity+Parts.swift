/// What an entity is, part by part.
extension MergeEntity {
    package var kind: String {
        switch self {
        case .architecture: "architecture"
        case .layout: "layout"
        case .file: "file"
        case .trunk: "tensor"
        case .pool: "pool"
        case .expert: "expert"
        case .router: "router"
        case .routerRow: "router-row"
        }
    }

    /// Whether it is a weight of the model, or some.
    package var isOfWeights: Bool {
        switch self {
        case .architecture, .layout, .file: false
        case .trunk, .pool, .expert, .router, .routerRow: true
        }
    }

    package var layer: UInt32? {
        switch self {
        case .pool(let layer, _), .expert(let layer, _, _), .router(let layer, _, _),
            .routerRow(let layer, _, _, _):
            layer
        default: nil
        }
    }

    package var pool: String? {
        switch self {
        case .pool(_, let pool), .expert(_, let pool, _), .router(_, let pool, _),
            .routerRow(_, let pool, _, _):
            pool
        default: nil
        }
    }

    package var ordinal: Int? {
        if case .expert(_, _, let ordinal) = self { ordinal } else { nil }
    }

    package var tensor: String? {
        switch self {
        case .trunk(let name), .router(_, _, let name), .routerRow(_, _, let name, _): name
        default: nil
        }
    }

    package var row: Int? {
        if case .routerRow(_, _, _, let row) = self { row } else { nil }
    }

    package var file: String? { if case .file(let name) = self { name } else { nil } }
}
