/** What a checker throws: the property that does not hold, and where it was seen. */
export class Violation extends Error {
  override readonly name = 'Violation';
  readonly checker: string;

  constructor(checker: string, message: string) {
    super(`${checker}: ${message}`);
    this.checker = checker;
  }
}
