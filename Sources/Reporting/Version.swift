/// The program's version: `cambium --version` and the libraries tell it, packages and pages of the manual are named by
/// it, and the newest entry of CHANGELOG.md must be its own (`tools/version` reads this line).
package let programVersion = "0.1.0"
