/** Places in SQL. */

/** Where each message is about: the word at the line and column that it names, or the whole text where it names none. */
export function places(text: string, messages: string[]): { from: number; to: number; message: string }[] {
  const lines = text.split("\n");
  return messages.map((message) => {
    const [, line, column] = /line (\d+), column (\d+)/i.exec(message) ?? [];
    const at = lines[Number(line) - 1];
    if (at === undefined) return { from: 0, to: text.length, message };
    const before = lines.slice(0, Number(line) - 1).reduce((sum, one) => sum + one.length + 1, 0);
    const start = Math.min(Number(column) - 1, at.length);
    const word = /^("[^"]*"|[\w.]+|.)/.exec(at.slice(start))?.[0].length ?? 0;
    return { from: before + start, to: before + start + word, message };
  });
}
