// The one error type of all layers is the façade's as well.
@_exported public import Elements
