/** A schema, or a document against it, would take more work than is spent on one. It says nothing about whether it is right. */
export class TooCostly extends Error {
  override readonly name = 'TooCostly';
}
