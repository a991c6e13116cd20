internal import Cambium
internal import Reporting

/// As Kubernetes has it: an Indexed Job whose pods are the tasks, and a Job that merges when all branches are there.
extension RoundScripts {
    /// The most that a ConfigMap holds (Kubernetes, "ConfigMaps").
    private static let largestMap = 1 << 20

    /// The manifests: the tasks, the rounds, the merge.
    ///
    /// All values are JSON, which YAML reads as it is.
    ///
    /// - Parameters:
    ///   - image: The container's, with the program and the command.
    ///   - wait: How long the merge waits for the branches, as `--wait` takes it.
    /// - Throws: `bad-name` for a name that Kubernetes would not take, `too-large` for more tasks than a ConfigMap
    ///   holds.
    func kubernetes(image: String, wait: String) throws -> String {
        let isName =
            name.utf8.count <= 50
            && name.utf8.allSatisfy {
                (97...122).contains($0) || (48...57).contains($0) || $0 == UInt8(ascii: "-")
            } && !name.hasPrefix("-")
        guard isName else {
            throw Failure(
                .badName, "'\(name)' cannot name a Job of Kubernetes",
                hint: "give --name lower-case letters, digits and '-', at most 50")
        }
        let size = taskLines.reduce(0) { $0 + $1.utf8.count + 1 }
        guard size < Self.largestMap else {
            throw Failure(
                .tooLarge,
                "the tasks have \(Quantity.bytes(size)), and a ConfigMap holds \(Quantity.bytes(Self.largestMap))",
                hint: "name files in the tasks, or submit them in parts")
        }
        let work =
            run + ["--tasks", "/cambium/tasks.jsonl", "--task", "$(JOB_COMPLETION_INDEX)", "--"]
        let words =
            work.prefix(work.count - 2).map(Self.literal) + work.suffix(2)
            + command.map(Self.literal)
        return """
            # Written by `cambium round submit --engine print --as kubernetes`: kubectl apply -f -
            apiVersion: v1
            kind: ConfigMap
            metadata: {name: \(name)-tasks}
            data:
              tasks.jsonl: |
            \(taskLines.map { "    " + $0 }.joined(separator: "\n"))
            ---
            \(job(
                name,
                """
                  completionMode: Indexed
                  completions: \(tasks.count)
                  parallelism: \(jobs ?? tasks.count)
                  backoffLimitPerIndex: 6
                """, image, words,
                mounts: """
                        volumeMounts:
                        - {name: tasks, mountPath: /cambium}
                        - {name: scratch, mountPath: /scratch}
                """,
                volumes: """
                      volumes:
                      - {name: tasks, configMap: {name: \(name)-tasks}}
                      - {name: scratch, emptyDir: {}}
                """))
            ---
            \(job(
                "\(name)-merge",
                """
                  backoffLimit: 6
                """, image, (merge + ["--wait", wait]).map(Self.literal),
                mounts: """
                        volumeMounts:
                        - {name: scratch, mountPath: /scratch}
                """,
                volumes: """
                      volumes:
                      - {name: scratch, emptyDir: {}}
                """))

            """
    }

    private func job(
        _ name: String, _ settings: String, _ image: String, _ words: [String], mounts: String,
        volumes: String
    ) -> String {
        """
        apiVersion: batch/v1
        kind: Job
        metadata: {name: \(name)}
        spec:
        \(settings)
          # A pod that was evicted is no failure of its task.
          podFailurePolicy:
            rules:
            - {action: Ignore, onPodConditions: [{type: DisruptionTarget, status: "True"}]}
          template:
            spec:
              restartPolicy: Never
              containers:
              - name: round
                image: \(JSONText.encode(image))
                command: \(JSONText.encode(words))
                env:
                - {name: CAMBIUM_AUTHOR, value: \(JSONText.encode(Self.literal(author)))}
                - {name: CAMBIUM_SCRATCH, value: /scratch}
                # Credentials of the remote, when it asks for some: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY.
                envFrom:
                - {secretRef: {name: cambium-remote, optional: true}}
        \(mounts)
        \(volumes)
        """
    }

    /// A word that Kubernetes takes as it is: `$(` begins a variable of its own.
    private static func literal(_ word: String) -> String {
        word.replacing("$(", with: "$$(")
    }
}
