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
            } && !name.hasPrefix("-") && !name.hasSuffix("-")
        guard isName else {
            throw Failure(
                .badName, "'\(name)' cannot name a Job of Kubernetes",
                hint: "give --name lower-case letters, digits and '-' between them, at most 50")
        }
        let taskFile = JSONText.encode(taskLines.map { $0 + "\n" }.joined())
        let roundFile = JSONText.encode(roundLines.map { $0 + "\n" }.joined())
        let size = taskFile.utf8.count + roundFile.utf8.count
        guard size < Self.largestMap else {
            throw Failure(
                .tooLarge,
                "the tasks have \(Quantity.bytes(size)), and a ConfigMap holds \(Quantity.bytes(Self.largestMap))",
                hint: "name files in the tasks, or submit them in parts")
        }
        let work =
            run.map(Self.literal) + ["--tasks", "/cambium/tasks.jsonl", "--task"]
            + ["$(JOB_COMPLETION_INDEX)", "--"] + command.map(Self.literal)
        let last = (merge("/cambium/rounds.jsonl") + ["--wait", wait]).map(Self.literal)
        return """
            # Written by `cambium round submit --engine print --as kubernetes`: kubectl apply -f -
            apiVersion: v1
            kind: ConfigMap
            metadata: {name: \(JSONText.encode("\(name)-tasks"))}
            data:
              rounds.jsonl: \(roundFile)
              tasks.jsonl: \(taskFile)
            ---
            \(job(
                name,
                """
                  completionMode: Indexed
                  completions: \(tasks.count)
                  parallelism: \(jobs ?? tasks.count)
                  backoffLimitPerIndex: 6
                """, image, work))
            ---
            \(job(
                "\(name)-merge",
                """
                  backoffLimit: 6
                """, image, last))

            """
    }

    private func job(
        _ name: String, _ settings: String, _ image: String, _ words: [String]
    ) -> String {
        """
        apiVersion: batch/v1
        kind: Job
        metadata: {name: \(JSONText.encode(name))}
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
                volumeMounts:
                - {name: tasks, mountPath: /cambium}
                - {name: scratch, mountPath: /scratch}
              volumes:
              - {name: tasks, configMap: {name: \(JSONText.encode("\(self.name)-tasks"))}}
              - {name: scratch, emptyDir: {}}
        """
    }

    /// A word that Kubernetes takes as it is: `$(` begins a variable of its own, and `$$` is a `$`.
    private static func literal(_ word: String) -> String { word.replacing("$", with: "$$") }
}
