internal import Architectures
internal import Routing
internal import Tensors

// What the layers do with their buffers. A method that changes a value cannot lend one of its buffers while it writes
// another; functions of the buffers can.

/// Row `token` of out = a row of a matrix, multiplied.
func copyRow(
    _ row: Int, of matrix: RowMatrix, _ token: Int, times factor: Float,
    into out: inout FloatBuffer
) {
    var span = out.mutableSpan(token * matrix.columns..<(token + 1) * matrix.columns)
    matrix.copyRow(row, into: &span)
    guard factor != 1 else { return }
    for index in span.indices { span[index] *= factor }
}

/// Rows of out from one on = as many adjacent rows of x.
func copyRows(
    _ x: borrowing FloatBuffer, _ first: Int, _ rows: Int, _ width: Int, to row: Int,
    of out: inout FloatBuffer
) {
    let source = x.span(first * width..<(first + rows) * width)
    var target = out.mutableSpan(row * width..<(row + rows) * width)
    for index in source.indices { target[index] = source[index] }
}

func copy(_ values: [Float], into out: inout FloatBuffer) {
    var span = out.mutableSpan(0..<values.count)
    for index in values.indices { span[index] = values[index] }
}

func route(
    _ router: any Router, _ x: borrowing FloatBuffer, _ count: Int, _ tokens: Int,
    into selection: inout Selection, _ team: ThreadTeam
) {
    router.route(x.span(0..<count), tokens: tokens, into: &selection, team: team)
}

/// out += the rows that tokens picked.
func addPicked(
    _ table: any ExpertTable, _ form: RowForm, _ selection: borrowing Selection, _ tokens: Int,
    _ out: inout FloatBuffer
) throws {
    var span = out.mutableSpan(0..<tokens * form.width)
    try table.addRows(form, of: selection, into: &span)
}

/// out = the sum of what a token's picks make of x.
///
/// - Parameter pools: Whose experts gated ones are, where it is more than one pool.
func addOutputs(
    _ experts: LanguageModel.Experts, _ pools: [ExpertRun], _ selection: borrowing Selection,
    _ x: borrowing FloatBuffer, _ count: Int, _ tokens: Int, _ out: inout FloatBuffer,
    _ team: ThreadTeam
) throws {
    var span = out.mutableSpan(0..<count)
    if let form = experts.form, pools.count > 1 {
        return try addGatedOutputs(
            form, of: selection, pools, x.span(0..<count), into: &span, team: team)
    }
    if let form = experts.form {
        return try experts.table.addGatedOutputs(
            form, of: selection, x.span(0..<count), into: &span, team: team)
    }
    try experts.table.addOutputs(
        of: selection, x.span(0..<count), tokens: tokens, into: &span, team: team)
}
