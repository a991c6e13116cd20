// swift-tools-version: 6.2
import PackageDescription

/// Every Swift target is built with the same strict settings.
let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableExperimentalFeature("Lifetimes"),
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
]

let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let heap = Target.Dependency.product(name: "HeapModule", package: "swift-collections")
let arguments = Target.Dependency.product(
    name: "ArgumentParser", package: "swift-argument-parser")
/// What speaks HTTP; only the server is built with it.
let web: [Target.Dependency] = [
    .product(name: "HTTPTypes", package: "swift-http-types"),
    .product(name: "Hummingbird", package: "hummingbird"),
    .product(name: "HummingbirdCore", package: "hummingbird"),
    .product(name: "Logging", package: "swift-log"),
    .product(name: "NIOCore", package: "swift-nio"),
    .product(name: "NIOExtras", package: "swift-nio-extras"),
    .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
    .product(name: "NIOPosix", package: "swift-nio"),
    .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
    .product(name: "UnixSignals", package: "swift-service-lifecycle"),
]

/// The layers, lowest first.
///
/// `tools/check` holds the imports of each source file against this table.
let package = Package(
    name: "cambium",
    products: [
        .library(name: "Cambium", targets: ["Cambium"]),
        .library(name: "CambiumC", type: .dynamic, targets: ["CambiumC"]),
        .executable(name: "cambium", targets: ["CambiumCommand"]),
        .executable(name: "cambium-serve", targets: ["CambiumServer"]),
        .executable(name: "storage-benchmark", targets: ["StorageBenchmark"]),
        .executable(name: "inference-benchmark", targets: ["InferenceBenchmark"]),
        .executable(name: "merge-benchmark", targets: ["MergeBenchmark"]),
        .executable(name: "continual-benchmark", targets: ["ContinualBenchmark"]),
        .executable(name: "training-benchmark", targets: ["TrainingBenchmark"]),
        .executable(name: "tokenizer-benchmark", targets: ["TokenizerBenchmark"]),
        .executable(name: "remote-simulation", targets: ["RemoteSimulation"]),
        .executable(name: "models-benchmark", targets: ["ModelsBenchmark"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(
            url: "https://github.com/apple/swift-http-types", from: "1.8.0", traits: []),
        .package(url: "https://github.com/apple/swift-log", from: "1.14.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.34.1"),
        .package(
            url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
        .package(
            url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        .systemLibrary(name: "CLMDB", pkgConfig: "lmdb", providers: [.apt(["liblmdb-dev"])]),
        .target(name: "COpenBLAS"),
        .target(name: "CCurl"),
        .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
        .systemLibrary(
            name: "CPCRE2", pkgConfig: "libpcre2-8", providers: [.apt(["libpcre2-dev"])]),
        .target(name: "CKernels"),
        .target(name: "Elements", swiftSettings: strict),
        .target(name: "Files", dependencies: ["Elements"], swiftSettings: strict),
        .target(name: "Architectures", dependencies: ["Elements"], swiftSettings: strict),
        .target(name: "Templates", dependencies: ["Elements"], swiftSettings: strict),
        .target(
            name: "KeyValue", dependencies: ["CLMDB", "Files", "Elements"], swiftSettings: strict),
        .target(
            name: "Objects", dependencies: ["CZstd", "KeyValue", "Elements", crypto],
            swiftSettings: strict),
        .target(
            name: "Snapshots", dependencies: ["Objects", "KeyValue", "Files", "Elements", heap],
            swiftSettings: strict),
        .target(
            name: "Tensors", dependencies: ["COpenBLAS", "CKernels", "Elements"],
            swiftSettings: strict),
        .target(name: "Routing", dependencies: ["Tensors", "Elements"], swiftSettings: strict),
        .target(
            name: "Models",
            dependencies: [
                "Tokenizers", "Templates", "Architectures", "Snapshots", "Objects", "Tensors",
                "Routing", "Elements",
            ],
            swiftSettings: strict),
        .target(
            name: "Evidence",
            dependencies: [
                "Models", "Architectures", "Snapshots", "Objects", "Routing", "Tensors", "Elements",
            ],
            swiftSettings: strict),
        .target(
            name: "Merging",
            dependencies: [
                "Evidence", "Models", "Architectures", "Snapshots", "Objects", "Routing", "Tensors",
                "Elements",
            ],
            swiftSettings: strict),
        .target(
            name: "Checkpoints",
            dependencies: [
                "Evidence", "Models", "Architectures", "Snapshots", "Objects", "Routing", "Tensors",
                "Files", "Elements",
            ],
            swiftSettings: strict),
        .target(
            name: "Training",
            dependencies: [
                "Checkpoints", "Evidence", "Models", "Architectures", "Snapshots", "Objects",
                "KeyValue", "Routing", "Tensors", "Files", "Elements",
            ],
            swiftSettings: strict),
        .target(
            name: "Tokenizers", dependencies: ["CPCRE2", "Elements", heap], swiftSettings: strict),
        .target(
            name: "Remotes",
            dependencies: [
                "CCurl", "Snapshots", "Objects", "KeyValue", "Files", "Elements", crypto,
            ],
            swiftSettings: strict),
        .target(
            name: "Migrations",
            dependencies: ["Snapshots", "Objects", "KeyValue", "Files", "Elements"],
            path: "migrations", swiftSettings: strict),
        .target(
            name: "Cambium",
            dependencies: [
                "Checkpoints", "Tokenizers", "Templates", "Migrations", "Remotes", "Training",
                "Merging",
                "Evidence", "Models", "Routing",
                "Architectures", "Snapshots", "Objects", "KeyValue", "Files", "Tensors",
                "Elements",
            ],
            swiftSettings: strict),
        .target(name: "Reporting", swiftSettings: strict),
        // Drawings, and the pages that they are on.
        .target(name: "Pictures", dependencies: ["Reporting"], swiftSettings: strict),
        .target(
            name: "Pages", dependencies: ["Cambium", "Pictures", "Reporting", "Files"],
            swiftSettings: strict),
        // The options of the server, which the main program explains and hands on.
        .target(
            name: "ServeArguments", dependencies: ["Reporting", arguments], swiftSettings: strict),
        .executableTarget(
            name: "CambiumCommand",
            dependencies: [
                "Cambium", "Pages", "Pictures", "ServeArguments", "Reporting", arguments,
            ],
            swiftSettings: strict),
        .target(
            name: "Serving", dependencies: ["Cambium", "Pages", "Pictures", "Reporting"] + web,
            swiftSettings: strict),
        .executableTarget(
            name: "CambiumServer",
            dependencies: ["Serving", "ServeArguments", "Cambium", "Reporting", arguments],
            swiftSettings: strict),
        // The C header, and what C does better of what is behind it.
        .target(name: "CCambium"),
        .target(
            name: "CambiumC",
            dependencies: ["Cambium", "Pages", "Pictures", "Reporting", "CCambium"],
            swiftSettings: strict),
        .target(
            name: "BenchmarkSupport", dependencies: ["Snapshots", "Objects", "Elements"],
            path: "tools/benchmarks/BenchmarkSupport", swiftSettings: strict),
        .executableTarget(
            name: "StorageBenchmark",
            dependencies: [
                "BenchmarkSupport", "Cambium", "Checkpoints", "Models", "Architectures",
                "Snapshots",
                "Objects",
                "Elements", arguments,
            ],
            path: "tools/benchmarks/StorageBenchmark", swiftSettings: strict),
        .executableTarget(
            name: "MergeBenchmark",
            dependencies: [
                "BenchmarkSupport", "Cambium", "Merging", "Checkpoints", "Models", "Architectures",
                "Routing", "Evidence", "Tensors", "Snapshots", "Objects", "Elements", "CKernels",
                "COpenBLAS", arguments,
            ],
            path: "tools/benchmarks/MergeBenchmark", swiftSettings: strict),
        .executableTarget(
            name: "InferenceBenchmark",
            dependencies: [
                "BenchmarkSupport", "Models", "Architectures", "Routing", "Tensors", "Snapshots",
                "Objects", "Elements", arguments,
            ],
            path: "tools/benchmarks/InferenceBenchmark", swiftSettings: strict),
        .executableTarget(
            name: "ContinualBenchmark",
            dependencies: [
                "BenchmarkSupport", "Training", "Models", "Architectures", "Routing", "Tensors",
                "Elements", arguments,
            ],
            path: "tools/benchmarks/ContinualBenchmark", swiftSettings: strict),
        .executableTarget(
            name: "TrainingBenchmark",
            dependencies: [
                "BenchmarkSupport", "Training", "Checkpoints", "Models", "Architectures", "Tensors",
                "Elements", arguments,
            ],
            path: "tools/benchmarks/TrainingBenchmark", swiftSettings: strict),
        .executableTarget(
            name: "TokenizerBenchmark",
            dependencies: ["BenchmarkSupport", "Tokenizers", arguments],
            path: "tools/benchmarks/TokenizerBenchmark", swiftSettings: strict),
        .executableTarget(
            name: "ModelsBenchmark", dependencies: ["BenchmarkSupport", "Cambium", arguments],
            path: "tools/benchmarks/ModelsBenchmark", swiftSettings: strict),
        // A remote in virtual time, and who works with it.
        .target(
            name: "SimulatedRemotes",
            dependencies: ["Remotes", "Snapshots", "Objects", "Elements", heap],
            path: "tools/benchmarks/SimulatedRemotes", swiftSettings: strict),
        .executableTarget(
            name: "RemoteSimulation",
            dependencies: [
                "BenchmarkSupport", "SimulatedRemotes", "Remotes", "Snapshots", "Objects",
                "Elements", arguments,
            ],
            path: "tools/benchmarks/RemoteSimulation", swiftSettings: strict),
        .target(
            name: "NumericSupport", path: "Tests/NumericSupport", swiftSettings: strict),
        .testTarget(
            name: "TensorsTests",
            dependencies: ["Tensors", "CKernels", "Elements", "NumericSupport"],
            swiftSettings: strict),
        .testTarget(
            name: "RoutingTests",
            dependencies: ["Routing", "Tensors", "CKernels", "Elements", "NumericSupport"],
            swiftSettings: strict),
        // Checkpoints of every architecture, made by the tests.
        .target(
            name: "CheckpointSupport", path: "Tests/CheckpointSupport", exclude: ["Fixtures"],
            swiftSettings: strict),
        .testTarget(
            name: "TokenizersTests", dependencies: ["Tokenizers", "Elements"],
            exclude: ["Fixtures"], swiftSettings: strict),
        .testTarget(
            name: "TemplatesTests", dependencies: ["Templates", "Elements"],
            exclude: ["Fixtures"], swiftSettings: strict),
        .testTarget(
            name: "CheckpointsTests",
            dependencies: [
                "Checkpoints", "Snapshots", "Objects", "Files", "Elements", "CheckpointSupport",
                "TestSupport",
            ],
            swiftSettings: strict),
        // System calls that fail when a test asks for it; also built by tools/campaign.
        .target(name: "CFaults", path: "Tests/CFaults"),
        .target(
            name: "TestSupport",
            dependencies: ["CFaults", "Remotes", "Snapshots", "Objects", "KeyValue", "Elements"],
            path: "Tests/TestSupport", swiftSettings: strict),
        .testTarget(
            name: "FilesTests", dependencies: ["Files", "Elements", "TestSupport"],
            swiftSettings: strict),
        .testTarget(
            name: "KeyValueTests", dependencies: ["KeyValue", "Files", "Elements", "TestSupport"],
            swiftSettings: strict),
        .testTarget(
            name: "ObjectsTests", dependencies: ["Objects", "KeyValue", "Elements", "TestSupport"],
            swiftSettings: strict),
        .testTarget(
            name: "SnapshotsTests",
            dependencies: [
                "Remotes", "Snapshots", "Objects", "KeyValue", "Files", "Elements", "TestSupport",
            ],
            swiftSettings: strict),
        .testTarget(
            name: "RemotesTests",
            dependencies: [
                "Remotes", "Snapshots", "Objects", "KeyValue", "Files", "Elements", "TestSupport",
                "SimulatedRemotes",
            ],
            swiftSettings: strict),
        .testTarget(
            name: "CompatibilityTests",
            dependencies: [
                "Migrations", "Snapshots", "Objects", "KeyValue", "Files", "Elements",
                "TestSupport",
            ],
            exclude: ["Fixtures"], swiftSettings: strict),
        .testTarget(
            name: "PagesTests",
            dependencies: [
                "Pages", "Pictures", "Cambium", "Reporting", "Snapshots", "Objects", "Elements",
                "TestSupport",
            ],
            swiftSettings: strict),
        .testTarget(
            name: "CommandTests",
            dependencies: [
                "CambiumCommand", "Cambium", "Reporting", "Snapshots", "KeyValue", "Elements",
                "CheckpointSupport", "TestSupport", arguments,
            ],
            swiftSettings: strict),
        .testTarget(
            name: "ServingTests",
            dependencies: [
                "Serving", "Cambium", .product(name: "Logging", package: "swift-log"),
            ], swiftSettings: strict),
        .testTarget(
            name: "CambiumTests",
            dependencies: [
                "Cambium", "Merging", "Training", "Evidence", "Models", "Architectures", "Routing",
                "Snapshots", "Checkpoints", "Remotes",
                "Objects", "KeyValue", "Files",
                "Elements",
                "TestSupport", "CheckpointSupport", "Tensors", "CKernels",
            ],
            swiftSettings: strict),
        // What a program in C does with the C interface.
        .target(name: "CProgram", dependencies: ["CCambium"], path: "Tests/CProgram"),
        .testTarget(
            name: "CambiumCTests",
            dependencies: [
                "CambiumC", "CCambium", "CProgram", "Cambium", "Reporting", "CheckpointSupport",
                "TestSupport",
            ],
            swiftSettings: strict),
        .testTarget(
            name: "TrainingTests",
            dependencies: [
                "Training", "Models", "Architectures", "Routing", "Tensors", "Elements",
                "CKernels", "NumericSupport",
            ],
            exclude: ["Fixtures"], swiftSettings: strict),
        .testTarget(
            name: "ModelsTests",
            dependencies: [
                "Models", "Architectures", "Tensors", "Routing", "Elements", "CKernels",
            ],
            swiftSettings: strict),
    ]
)
