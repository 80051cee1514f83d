/** Sentences of the engine: their numbers are written as in `1,234.50`, and shown as the reader writes them. */
import { decimal } from "./numbers";

/** Numbers that stand by themselves; a name such as `ledger_2026` and a date hold none. */
const NUMBER = /(?<![\w.,:/`-])\d{1,3}(?:,\d{3})*(?:\.\d+)?(?![\w:/`-]|[.,]\d)/g;

export function localised(sentence: string, locale?: string): string {
  return sentence.replace(NUMBER, (number) => decimal(number.replaceAll(",", ""), locale));
}

/** A sentence as the parts that it was made of, in their order, and what stands between them. */
export function parted<T extends { text: string }>(sentence: string, parts: T[]): (string | T)[] {
  const all: (string | T)[] = [];
  let from = 0;
  for (const part of parts) {
    const at = sentence.indexOf(part.text, from);
    if (at < 0) continue;
    if (at > from) all.push(sentence.slice(from, at));
    all.push(part);
    from = at + part.text.length;
  }
  return from < sentence.length ? [...all, sentence.slice(from)] : all;
}
