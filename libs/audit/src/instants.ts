/**
 * Instants as numbers, and back: those of events have one form only, so nothing is lost. In a batch nearly all of a kind are the same
 * one, which is converted once.
 */
export class Instants {
  private text: string | null = null;
  private number = NaN;

  /** Of none, it is not a number. */
  numberOf(text: string | null): number {
    if (text !== this.text) {
      this.text = text;
      this.number = text === null ? NaN : Date.parse(text);
    }
    return this.number;
  }

  textOf(number: number): string | null {
    if (Number.isNaN(number)) return null;
    if (number !== this.number) {
      this.number = number;
      this.text = new Date(number).toISOString();
    }
    return this.text;
  }
}
